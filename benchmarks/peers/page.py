"""The rows of docs/performance.md, and the page."""

import datetime
import os
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from fedssl.files import atomic_write

OWN = ("torch", "torchvision", "numpy", "scikit-learn")
HEAD = """# Performance

`make bench` writes this page. It compares the project with other systems on the same work, in one
run on one machine. Do not edit it: run `make bench` again.

- Everything in a comparison takes turns. A ratio is the median of the ratios of the turns.
- *CPU* ratios compare CPU time, which other load disturbs little. *Clock* ratios compare elapsed
  time. The verdict uses the CPU ratio, or the clock ratio if there is no CPU ratio.
- A ratio of times is the peer's time divided by ours: above 1, ours is faster. The rows "its own
  steps" and "peak memory" divide ours by the other: lower is better.
- All rounds use our encoder, views, loss and torch's SGD, one thread per process. The systems
  differ in how they send, train and average models. Flower keeps a model per process.
"""


@dataclass(frozen=True)
class Row:
    """One comparison with one peer.

    Attributes:
        ratio: the ratio that the verdict uses.
        kind: what the ratio compares: CPU, clock, time or memory.
        clock: the ratio of elapsed times, if `ratio` compares CPU time.
        target: the smallest ratio that meets the target, or the largest if `at_most`.
    """

    title: str
    peer: str
    ratio: float
    kind: str
    clock: float | None = None
    seconds: str = ""
    target: float | None = None
    at_most: bool = False

    def __str__(self) -> str:
        """Return the row as one line of text."""
        return f"{self.title}, {self.peer}: {self.ratio:.2f} ({self.kind}), {self.verdict()}"

    def verdict(self) -> str:
        """Return whether the ratio, as it is printed, meets the target."""
        if self.target is None:
            return "no target"
        ratio = round(self.ratio, 2)
        met = ratio <= self.target if self.at_most else ratio >= self.target
        sign = "at most" if self.at_most else "at least"
        return f"{sign} {self.target:g}: {'met' if met else '**missed**'}"


def row(
    title: str,
    peer: str,
    ours: Sequence[dict[str, float]],
    theirs: Sequence[dict[str, float]],
    *,
    measure: str,
) -> Row:
    """Return the row of two systems' turns, compared by `cpu` or `wall` seconds."""
    clock = median_ratio(theirs, ours, "wall")
    both = (statistics.median(turn[measure] for turn in turns) for turns in (ours, theirs))
    seconds = " / ".join(f"{value:.3g}" for value in both)
    if measure == "wall":
        return Row(title, peer, clock, "clock", seconds=seconds)
    ratio = median_ratio(theirs, ours, measure)
    return Row(title, peer, ratio, "CPU", clock=clock, seconds=seconds)


def median_ratio(
    above: Sequence[dict[str, float]], below: Sequence[dict[str, float]], measure: str
) -> float:
    """Return the median over the turns of one's seconds divided by the other's."""
    return statistics.median(a[measure] / b[measure] for a, b in zip(above, below, strict=True))


def write(
    path: Path,
    rows: Sequence[Row],
    missing: Sequence[str],
    *,
    versions: Sequence[str],
    loads: Sequence[float],
) -> None:
    """Write the page: the rows, the comparisons that are missing and why, and the machine."""
    table = [
        "| work | compared with | seconds, ours / theirs | ratio | clock ratio | target |",
        "| --- | --- | ---: | ---: | ---: | --- |",
        *map(_line, rows),
    ]
    absent = [f"Not measured: {reason}." for reason in missing]
    own = [f"{name}=={version(name)}" for name in OWN]
    facts = [
        f"- Date: {datetime.datetime.now(datetime.UTC):%Y-%m-%d %H:%M} UTC",
        f"- CPU: {_cpu()}, {os.cpu_count()} cores, no GPU used",
        f"- Load average before and after each comparison: {', '.join(f'{v:.1f}' for v in loads)}."
        " A quiet machine shows about 1, or 2 for clients in parallel.",
        f"- Versions: {', '.join([*own, *versions])}",
    ]
    text = "\n".join(
        [HEAD, *table, "", *absent, *[""][: len(absent)], "## Machine", "", *facts, ""]
    )
    with atomic_write(path) as temporary:
        temporary.write_text(text)


def _line(row: Row) -> str:
    clock = "" if row.clock is None else f"{row.clock:.2f}"
    cells = (row.title, row.peer, row.seconds, f"{row.ratio:.2f} {row.kind}", clock, row.verdict())
    return f"| {' | '.join(cells)} |"


def _cpu() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    return next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
