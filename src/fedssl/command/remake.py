"""The one Snakemake command that makes damaged files again, and what depends on them."""

import os
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from fedssl.command.dry_run import PlannedJob
from fedssl.record.damage import Damage
from fedssl.record.read import shown

_UPDATED = " (update)"  # how Snakemake names an output that its job updates


@dataclass(frozen=True)
class Remake:
    """How to make damaged files again.

    Attributes:
        forced: an output of each job that has to run because one of its files is damaged.
        targets: the last products that depend on them.
        jobs: how many jobs of each rule would run.
        lost: files that no job makes.
    """

    forced: tuple[str, ...] = ()
    targets: tuple[str, ...] = ()
    jobs: Mapping[str, int] = field(default_factory=dict)
    lost: tuple[Damage, ...] = ()

    def command(
        self, executor: Sequence[str], configfiles: Sequence[str], settings: Sequence[str]
    ) -> list[str]:
        """Return the words of the command."""
        options = ["--configfile", *configfiles] if configfiles else []
        options += ["--config", *settings] if settings else []
        # A missing file in the middle is not enough for Snakemake: it makes none that only finished
        # products need. After a kill, it asks for --rerun-incomplete.
        forced = ["--rerun-incomplete", "--forcerun", *self.forced]
        return ["snakemake", *executor, *options, *forced, "--", *self.targets]


def remake(
    damages: Sequence[Damage], jobs: Iterable[PlannedJob], *, root: Path, results: str
) -> Remake:
    """Return how to make damaged files again.

    Args:
        damages: the damaged files.
        jobs: all declared jobs, in the order in which they depend on each other.
        root: results folder.
        results: results folder as the jobs name it.
    """
    declared = [job for job in jobs if job.outputs]
    makers = {_plain(output): job for job in declared for output in job.outputs}
    forced: dict[str, PlannedJob] = {}
    lost = []
    for damage in damages:
        name = f"{results}/{shown(damage.path, root)}"
        job = _maker(name, makers)
        if job is None or damage.fetched:
            lost.append(damage)
        else:
            forced.setdefault(_plain(job.outputs[0]), job)
    affected = _with_dependents(list(forced.values()), declared)
    read = {name for job in affected for name in job.inputs}
    last = [job for job in affected if read.isdisjoint(map(_plain, job.outputs))]
    return Remake(
        tuple(forced),
        tuple(_plain(job.outputs[0]) for job in last),
        Counter(job.rule for job in affected),
        tuple(lost),
    )


def _maker(name: str, makers: Mapping[str, PlannedJob]) -> PlannedJob | None:
    """Return the job that writes a file, or the folder that it is in."""
    places = (name, *map(str, Path(name).parents))
    return next((makers[place] for place in places if place in makers), None)


def _with_dependents(
    forced: Sequence[PlannedJob], declared: Sequence[PlannedJob]
) -> list[PlannedJob]:
    """Return jobs, and those that have finished and depend on them."""
    readers: dict[str, list[PlannedJob]] = {}
    for job in declared:
        for name in job.inputs:
            readers.setdefault(name, []).append(job)
    found: dict[str, PlannedJob] = {}
    waiting = list(forced)
    while waiting:
        job = waiting.pop()
        if job.outputs[0] not in found:
            found[job.outputs[0]] = job
            after = [reader for name in job.outputs for reader in readers.get(_plain(name), ())]
            waiting += filter(_has_run, after)
    return [job for job in declared if job.outputs and job.outputs[0] in found]


def _has_run(job: PlannedJob) -> bool:
    # Any output: the one that is checked may be the damaged one.
    return any(os.path.lexists(_plain(output)) for output in job.outputs)


def _plain(output: str) -> str:
    return output.removesuffix(_UPDATED)
