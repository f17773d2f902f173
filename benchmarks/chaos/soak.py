"""Runs of two users on one results folder, both killed at random times, over and over."""

import random
import shutil
from collections.abc import Iterator
from pathlib import Path

from benchmarks.chaos.clone import Clone
from benchmarks.chaos.kills import at_random
from benchmarks.chaos.outcome import Fault, Journal, judge, remains
from benchmarks.chaos.writers import pair, second_user

_TURNS = 4  # in each, both users start, and both are killed


def soaked(
    reference: Clone,
    expected: dict[str, str],
    folder: Path,
    *,
    runs: int,
    seed: int,
    most_seconds: float,
    done: Journal,
) -> Iterator[Fault]:
    """Yield a fault per run; a kill comes within `most_seconds` of the start."""
    user = second_user()
    how = "two clones, two users" if user else "two clones, one user"
    for number in range(runs):
        name = f"soak {number}"
        if done.has(name):
            continue
        source = random.Random(f"{seed} {name}")
        shutil.rmtree(folder / "soak", ignore_errors=True)
        clones = pair(folder / "soak", reference, user=user)
        kills = 0
        for _ in range(_TURNS):
            started = [clone.start_again() for clone in source.sample(clones, 2)]
            kills += sum(bool(at_random(most_seconds)(run, source)) for run in started)
            for run in started:
                run.end()
        ended = clones[0].again()
        outcome, detail = judge(clones[0], ended, expected)
        left = remains(clones[0], ended)
        yield Fault("soak", how, name, outcome, times=max(kills, 1), detail=detail, left=left)
