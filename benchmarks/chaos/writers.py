"""Two users on one results folder: two clones, two Snakemakes, at the same time."""

import os
import random
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from benchmarks.chaos.clone import Clone, Ended
from benchmarks.chaos.outcome import Fault, Journal, Outcome, judge, remains

_NOBODY = 65534
_PAIRS = 3


def two_writers(
    reference: Clone, expected: dict[str, str], folder: Path, *, seed: int, done: Journal
) -> Iterator[Fault]:
    """Yield a fault for each pair of runs, the second started a random time after the first."""
    for number in range(_PAIRS):
        name = f"two writers {number}"
        if done.has(name):
            continue
        source = random.Random(f"{seed} {name}")
        shutil.rmtree(folder / "writers", ignore_errors=True)
        clones = pair(folder / "writers", reference)
        first, second = side_by_side(clones, source.uniform(0, 20))
        ended = clones[0].again()
        outcome, detail = judge(clones[0], ended, expected)
        codes = f"exit codes {first.code} and {second.code}"
        said = [run.printed[-700:] for run in (first, second) if run.code and not _explained(run)]
        if said and outcome is Outcome.IDENTICAL:
            detail = f"{codes}, without a sentence on the other writer; a rerun mended it: {said}"
        yield Fault(
            kind="two writers",
            how="two clones, one results folder, then the command again",
            name=name,
            outcome=outcome,
            detail=detail or codes,
            left=remains(clones[0], ended),
        )


def pair(folder: Path, reference: Clone, *, user: int | None = None) -> tuple[Clone, Clone]:
    """Return two clones of the checkout that write to one results folder."""
    shared = folder / "results"
    shared.mkdir(parents=True)
    shared.chmod(0o777)
    clones = []
    for name, owner in (("one", None), ("two", user)):
        clone = Clone.of_checkout(folder / name)
        if owner is not None:
            subprocess.run(["chown", "-R", str(owner), clone.root], check=True)
        clones.append(
            replace(
                clone,
                results=str(shared),
                config=reference.config,
                targets=reference.targets,
                user=owner,
                is_shared=True,
            )
        )
    return clones[0], clones[1]


def side_by_side(clones: tuple[Clone, Clone], delay: float) -> tuple[Ended, Ended]:
    """Run both, the second `delay` seconds after the first."""
    first = clones[0].start_again()
    time.sleep(delay)
    second = clones[1].start_again()
    return first.wait(), second.wait()


def second_user() -> int | None:
    """Return another user who can run this Python; None without the right to become one."""
    if os.getuid():
        return None
    try:
        subprocess.run([sys.executable, "-c", "import torch"], user=_NOBODY, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    return _NOBODY


def _explained(run: Ended) -> bool:
    return "is being written by" in run.printed
