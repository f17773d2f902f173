"""Kill runs at random times and at the worst moments, until they finish."""

import random
import re
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

from benchmarks.chaos.clone import Clone, Ended, Run
from benchmarks.chaos.outcome import Fault, judge, remains
from benchmarks.chaos.watch import Watch

# The moments at which a half-done write hurts most: a pattern of the file that has just appeared.
# A `.part` file has been created and is being written; the name without it has been renamed.
_PART = r"\.[^./]+\.part$"
MOMENTS: Mapping[str, str] = MappingProxyType(
    {
        "writing an archive": rf"^archives/.*{_PART}",
        "building a bank": r"^(state/bank/.*|banks/[^/]+/\.waveforms\.npy.*)$",
        "between the files of a bank": r"^banks/[^/]+/labels\.npy$",
        "writing bank.json": rf"^banks/.*/\.bank\.json{_PART}",
        "recording a bank": rf"^banks/.*/\.provenance\.json{_PART}",
        "writing shards": rf"^shards/.*{_PART}",
        "writing normalisation": rf"^normalisation/.*{_PART}",
        "keeping a model": rf"^state/pretrain/.*/milestones/.*{_PART}",
        "writing a checkpoint": rf"^state/pretrain/.*/\.round\d+\.safetensors{_PART}",
        "between weights and commit of a checkpoint": r"^state/pretrain/.*/round0\d+\.safetensors$",
        "committing a checkpoint": rf"^state/pretrain/.*/\.round\d+\.json{_PART}",
        "before the removal of an old checkpoint": r"^state/pretrain/.*/round0\d+\.json$",
        "writing the model": rf"^pretrain/.*/\.model\.safetensors{_PART}",
        "between model and history": r"^pretrain/.*/model\.safetensors$",
        "writing rounds.csv": rf"^pretrain/.*/\.rounds\.csv{_PART}",
        "delivering kept models": rf"^pretrain/.*/milestones/.*{_PART}",
        "recording a pretraining": rf"^pretrain/.*/\.provenance\.json{_PART}",
        "between record and removal of the state": r"^pretrain/.*/provenance\.json$",
        "writing a score": rf"^evaluate/.*/\.(knn|retrieval)\.(json|parquet){_PART}",
        "recording a score": rf"^evaluate/.*/\.provenance\.json{_PART}",
        "storing the score of a round": rf"^state/score_rounds/.*{_PART}",
        "writing the best model": rf"^pretrain/.*/best/.*{_PART}",
        "writing a table": rf"^tables/.*{_PART}",
        "writing a figure": rf"^figures/.*{_PART}",
    }
)
# Whom a kill hits: mostly all, as a failing node does.
_WHOM = ("everything",) * 3 + ("job", "snakemake")
_FAILURES = 5  # runs that may fail by themselves, such as next to an orphaned job
_SECONDS = 1800.0


class Kill(NamedTuple):
    """A kill that happened: whom it hit, and when."""

    whom: str
    when: str


@dataclass
class Moments:
    """The moments that are still to be hit, each at one of its next appearances."""

    left: dict[str, int]

    @classmethod
    def drawn(cls, source: random.Random, number: int) -> "Moments":
        """Draw some of the moments, and which appearance of each is to be hit."""
        chosen = source.sample(sorted(MOMENTS), min(number, len(MOMENTS)))
        return cls({moment: source.choice((1, 1, 2, 3)) for moment in chosen})

    def hit(self, name: str) -> str:
        """Return the moment that a file, which has appeared, is the awaited appearance of."""
        for moment in list(self.left):
            if re.search(MOMENTS[moment], name):
                self.left[moment] -= 1
                if self.left[moment] == 0:
                    del self.left[moment]
                    return moment
        return ""


Killer = Callable[[Run, random.Random], Kill | None]
"""Kills a run once, and returns None if it ended by itself."""


def at_random(most: float) -> Killer:
    """Return a killer that kills everything at a random time within `most` seconds."""

    def kill(run: Run, source: random.Random) -> Kill | None:
        deadline = time.monotonic() + source.uniform(0.0, most)
        while run.running and time.monotonic() < deadline:
            time.sleep(0.02)
        return Kill("everything", "a random moment") if run.kill("everything") else None

    return kill


def aimed(results: Path, moments: Moments) -> Killer:
    """Return a killer that kills at the next of the moments."""
    results.mkdir(parents=True, exist_ok=True)

    def kill(run: Run, source: random.Random) -> Kill | None:
        whom = source.choice(_WHOM)
        with Watch(results) as watch:
            for name in watch.appeared(_SECONDS):
                if not run.running:
                    return None
                moment = name and moments.hit(name)
                if moment and run.kill(whom):
                    return Kill(whom, moment)
        return None

    return kill


def killed_run(
    clone: Clone, killer: Killer, source: random.Random, *, most: int
) -> tuple[list[Kill], Ended]:
    """Kill a run up to `most` times and let it finish; return the kills and how it ended."""
    kills: list[Kill] = []
    orphaned: list[Run] = []
    for _ in range(most + _FAILURES):
        if len(kills) == most:
            break
        run = clone.start_again()
        if kill := killer(run, source):
            kills.append(kill)
            print(f"killed    {kill.whom}: {kill.when}", flush=True)
        if kill and kill.whom == "snakemake":
            orphaned.append(run)  # its jobs go on, next to those of the next run
        elif run.wait().code == 0:
            break
        else:
            _wait_for(orphaned)
    _wait_for(orphaned)
    return kills, clone.again()


def _wait_for(orphaned: list[Run]) -> None:
    while orphaned:
        orphaned.pop().wait()


def faults(
    name: str, clone: Clone, kills: list[Kill], ended: Ended, expected: dict[str, str]
) -> Iterator[Fault]:
    """Yield a fault per kill; all kills of a run have the outcome of the run."""
    outcome, detail = judge(clone, ended, expected)
    left = remains(clone, ended)
    for number, kill in enumerate(kills):
        is_last = number == len(kills) - 1
        yield Fault(
            kind=f"SIGKILL of {kill.whom}",
            how=kill.when,
            name=f"{name} kill {number}",
            outcome=outcome,
            detail=detail if is_last else "",
            left=left if is_last else (),
        )
