"""Compare this project with its peers and write docs/performance.md: `make bench`.

Everything that is compared takes turns in one run, on one thread per process, and each figure is
the median of the ratios of the turns.
"""

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from benchmarks.peers import environments
from benchmarks.peers.contest import Failed, Times, functions, rounds
from benchmarks.peers.federation import Work
from benchmarks.peers.page import Row, median_ratio, row, write

ROOT = Path(__file__).parents[1]
PEERS = ("flower", "pfl", "kornia", "faiss", "opentsne")
NAMES = {"plain": "a plain loop", "pfl": "pfl-research", "flower": "Flower simulation"}
NAMES |= {"engine": "our rounds with engine flower"}
RESNET = Work("resnet18", size=64, clients=8, cohort=2, samples=64, batch=32)
CNN = Work("cnn", size=32, clients=100, cohort=10)
RESNET_TITLE = "round of 2 clients of two steps, ResNet-18, 64 px"
CNN_TITLE = "round of 10 clients of two steps, two-layer CNN, 32 px"
TARGETS = {"kornia": 1.4, "torchvision": 3.0, "faiss": 1.0}


def resnet_rounds() -> Iterable[Row]:
    """Compare rounds in one process, whose steps take most of the time."""
    turns, memory = rounds(RESNET, ("ours", "plain", "pfl"), runs=3)
    yield from against(RESNET_TITLE, turns, targets={"plain": 1.0, "pfl": 1.0})
    steps = [{"wall": turn["steps"]} for turn in turns["ours"]]
    ratio = median_ratio(turns["ours"], steps, "wall")
    yield Row(RESNET_TITLE, "its own steps", ratio, "time", target=1.02, at_most=True)
    for name in ("plain", "pfl"):
        ratio = memory["ours"] / memory[name]
        target = 1.1 if name == "plain" else None
        title = f"peak memory, ResNet-18: ours {memory['ours']:.0f} MB"
        yield Row(title, NAMES[name], ratio, "memory", target=target, at_most=True)


def cnn_rounds() -> Iterable[Row]:
    """Compare rounds in one process, whose steps take little time."""
    turns, _ = rounds(CNN, ("ours", "plain", "pfl"), runs=7)
    yield from against(CNN_TITLE, turns, targets={"plain": 1.0, "pfl": 1.0})


def flower_rounds() -> Iterable[Row]:
    """Compare rounds with two clients in parallel."""
    for title, work, runs, target in (
        (CNN_TITLE, CNN, 5, {"flower": 2.0}),
        (RESNET_TITLE, RESNET, 2, {}),
    ):
        turns, _ = rounds(replace(work, workers=2), ("ours", "flower", "engine"), runs=runs)
        # Several processes: only the clock covers all of them.
        title = f"{title}, two in parallel"
        yield from against(title, turns, targets=target, measure="wall")


def calls(module: str, peers: Sequence[str]) -> Callable[[], Iterable[Row]]:
    """Return the comparison of a module's functions."""

    def compare() -> Iterable[Row]:
        for title, turns in functions(module, peers).items():
            yield from against(title, turns, targets=TARGETS)

    return compare


def against(
    title: str, turns: Times, *, targets: Mapping[str, float], measure: str = "cpu"
) -> Iterable[Row]:
    """Yield how much longer each peer takes than ours, which comes first."""
    (_, ours), *others = turns.items()
    for name, theirs in others:
        found = row(title, NAMES.get(name, name), ours, theirs, measure=measure)
        yield replace(found, target=targets.get(name))


# The comparisons, and the environments that each needs.
COMPARISONS: dict[str, tuple[tuple[str, ...], Callable[[], Iterable[Row]]]] = {
    "rounds of a ResNet-18": (("pfl",), resnet_rounds),
    "rounds of a CNN": (("pfl",), cnn_rounds),
    "rounds of Flower": (("flower",), flower_rounds),
    "image views": (("kornia",), calls("image_views", ("kornia",))),
    "kNN": (("faiss",), calls("nearest", ("faiss",))),
    "t-SNE": (("opentsne",), calls("tsne", ("opentsne",))),
}


def main() -> None:
    """Install the peers, compare, print each ratio, and write the page after each comparison."""
    faults = {peer: fault for peer in PEERS if (fault := environments.install(peer))}
    versions = [environments.version(peer) for peer in PEERS]
    loads = [os.getloadavg()[0]]
    found: list[Row] = []
    missing = {name: "the run was interrupted" for name in COMPARISONS}
    for name, (peers, compare) in COMPARISONS.items():
        print(f"{name}: load {loads[-1]:.1f}", flush=True)
        broken = [f"{peer}: {faults[peer]}" for peer in peers if peer in faults]
        try:
            rows = compared(compare, broken)
            del missing[name]
        except Failed as failed:
            rows, missing[name] = [], str(failed)
            print(f"  not measured: {failed}", flush=True)
        for each in rows:
            print(f"  {each}", flush=True)
        found += rows
        loads.append(os.getloadavg()[0])
        reasons = [f"{work}: {reason}" for work, reason in missing.items()]
        write(ROOT / "docs/performance.md", found, reasons, versions=versions, loads=loads)


def compared(compare: Callable[[], Iterable[Row]], faults: Sequence[str]) -> list[Row]:
    """Return the rows of a comparison; raise Failed if one of its peers is not installed."""
    if faults:
        raise Failed("; ".join(faults))
    return list(compare())


if __name__ == "__main__":
    main()
