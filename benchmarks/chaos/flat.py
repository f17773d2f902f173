"""Memory and open files of a federation over many rounds: `python -m benchmarks.chaos.flat`.

A tiny encoder trains in a process of its own. Its resident memory and its descriptors are read from
outside whenever the checkpoint of every hundredth round appears.
"""

import sys
import tempfile
from multiprocessing import get_context
from pathlib import Path
from typing import NamedTuple

from benchmarks.chaos.watch import Watch
from tests.unit.federations import SETTINGS, lay_out, run

_EVERY = 100
_SECONDS = 3600.0
_CHANGES = {
    "encoder": {"arch": "resnet18", "width": 4, "embedding_dim": 8},
    "image": {"size": 16, "mean": [0.5] * 3, "std": [0.25] * 3},
    "split": "a0-i100-b0",
}


class Sample(NamedTuple):
    """What the process held when a round was done."""

    round: int
    resident_mb: float
    descriptors: int


def samples(folder: Path, *, rounds: int) -> list[Sample]:
    """Train `rounds` rounds in a new process; return a sample of every hundredth round."""
    found = []
    process = get_context("spawn").Process(target=_train, args=(folder, rounds))
    with Watch(folder) as watch:
        process.start()
        for name in watch.appeared(_SECONDS):
            number = _round(name)
            if number % _EVERY == 0 and number and process.pid:
                found.append(_sample(process.pid, number))
                print(*found[-1], flush=True)
            if not process.is_alive():
                break
    process.join()
    if process.exitcode:
        raise RuntimeError(f"the training ended with exit code {process.exitcode}")
    return found


def _train(folder: Path, rounds: int) -> None:
    shape = {"fraction": 0.25, "local_epochs": 1, "batch_size": 32, "kept_rounds": []}
    federation = SETTINGS["federation"] | shape | {"rounds": rounds}  # type: ignore[operator]
    run(lay_out(folder), folder, federation=federation, **_CHANGES)


def _round(name: str) -> int:
    """Return the round of a commit; 0 for another file."""
    path = Path(name)
    is_commit = path.suffix == ".json" and path.name.startswith("round0")
    return int(path.stem.removeprefix("round")) if is_commit else 0


def _sample(pid: int, number: int) -> Sample:
    status = Path(f"/proc/{pid}/status").read_text()
    resident = next(line for line in status.splitlines() if line.startswith("VmRSS:"))
    descriptors = len(list(Path(f"/proc/{pid}/fd").iterdir()))
    return Sample(number, int(resident.split()[1]) / 1000, descriptors)


if __name__ == "__main__":
    print("round, resident MB, descriptors")
    with tempfile.TemporaryDirectory() as folder:
        samples(Path(folder), rounds=int(sys.argv[1]) if sys.argv[1:] else 1000)
