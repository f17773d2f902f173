"""The cost of planned jobs: from similar finished jobs, from a rehearsal, or by arithmetic."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from fedssl.command.dry_run import PlannedJob
from fedssl.grid.cell import AXES
from fedssl.grid.plan import Plan
from fedssl.grid.snakemake_api import RunJob
from fedssl.record.read import Record, find_records, read_record
from fedssl.rehearsal.costs import rehearsed_seconds
from fedssl.rehearsal.rates import Rate, read_table
from fedssl.resources.arithmetic import arithmetic

# Wildcards by which jobs of one rule are matched, the most important first. The aggregator is last
# because it hardly changes the duration.
_LEAST = "aggregator"
_ALIKE = (*(axis for axis in AXES if axis != _LEAST), "task", "dataset", _LEAST)
_OTHER = "/"  # stands for all values that no finished job has; no wildcard has a slash here
CPU = "CPU"
FINISHED, REHEARSAL, ARITHMETIC = "finished", "rehearsal", "arithmetic"


@dataclass(frozen=True)
class JobCost:
    """The estimated cost of one job.

    Attributes:
        seconds: duration in seconds.
        device: name of the GPU, or "CPU".
        cores: number of CPU cores that compute; 0 on a GPU.
        disk_bytes: size of the outputs.
        sent_bytes: bytes that clients and server would send.
        sources: paths of the records of finished jobs, or "rehearsal", or "arithmetic".
    """

    seconds: float
    device: str
    cores: int
    disk_bytes: float
    sent_bytes: float
    sources: frozenset[str]


@dataclass(frozen=True)
class Cost:
    """The estimated cost of the planned jobs of one rule.

    `measured` is the number of finished jobs behind the estimate, and `source` is "finished",
    "rehearsal", "arithmetic" or several of them. Where nothing is known, all numbers are None.
    """

    rule: str
    jobs: int
    measured: int
    source: str | None
    hours: float | None
    disk_bytes: float | None
    sent_bytes: float | None
    device: str | None


def measured_jobs(results: str | Path) -> list[Record]:
    """Return the intact records in a results folder; empty if there is no such folder."""
    root = Path(results).absolute()
    records = (read_record(path, root) for path in find_records(root))
    # A damaged record could have any duration.
    return [record for record in records if record.intact]


class Estimator:
    """Estimates jobs from finished jobs, a rehearsal or arithmetic."""

    def __init__(self, plan: Plan, measured: Sequence[Record], rates: Sequence[Rate]) -> None:
        """Store the plan, the records of finished jobs, and the rates of a rehearsal."""
        self._plan = plan
        self._rates = rates
        self._measured: dict[str, list[Record]] = {}
        for record in measured:
            self._measured.setdefault(record.rule, []).append(record)

    @classmethod
    def of(cls, plan: Plan) -> Self:
        """Return an estimator that knows what is in the results folder of a plan."""
        return cls(plan, measured_jobs(plan.paths.results), read_table(plan.paths.rehearsal()))

    def each(self, jobs: Sequence[PlannedJob]) -> list[JobCost | None]:
        """Return the cost of each of some jobs of one rule; None where nothing is known."""
        if not jobs:
            return []
        if not (same := self._measured.get(jobs[0].rule)):
            return [self._expected(job) for job in jobs]
        found: dict[int, JobCost] = {}
        for alike, records in _most_alike(jobs, same):
            cost = _mean_cost(records)
            found |= {id(job): cost for job in alike}
        return [found[id(job)] for job in jobs]

    def by_output(self, jobs: Iterable[PlannedJob]) -> dict[str, JobCost | None]:
        """Return the first output of each job -> its cost."""
        by_rule: dict[str, list[PlannedJob]] = {}
        for job in jobs:
            if job.outputs:  # a named target has none and costs nothing
                by_rule.setdefault(job.rule, []).append(job)
        return {
            job.outputs[0]: cost
            for alike in by_rule.values()
            for job, cost in zip(alike, self.each(alike), strict=True)
        }

    def _expected(self, job: PlannedJob) -> JobCost | None:
        """Return the cost of a job of a rule that has not finished a job."""
        by_arithmetic = arithmetic(self._plan, job.rule, job.wildcards)
        if by_arithmetic is None:
            return None
        sizes = (by_arithmetic.disk_bytes, by_arithmetic.sent_bytes)
        found = rehearsed_seconds(self._plan, job.rule, job.wildcards, self._rates)
        if found is None:
            own = (by_arithmetic.seconds, by_arithmetic.device, by_arithmetic.cores)
            return JobCost(*own, *sizes, frozenset({ARITHMETIC}))
        seconds, rate = found
        cores = rate.threads if rate.device == CPU else 0
        return JobCost(seconds, rate.device, cores, *sizes, frozenset({REHEARSAL}))


def costs(jobs: Iterable[PlannedJob], estimator: Estimator) -> list[Cost]:
    """Return one cost per rule with planned jobs, in the order of the jobs."""
    by_rule: dict[str, list[PlannedJob]] = {}
    for job in jobs:
        if job.outputs:  # a named target has none and costs nothing
            by_rule.setdefault(job.rule, []).append(job)
    return [_total(rule, planned, estimator.each(planned)) for rule, planned in by_rule.items()]


def expected_seconds(plan: Plan, jobs: Iterable[RunJob]) -> dict[str, float]:
    """Return the first output of each job -> its duration, for the jobs of known cost."""
    planned = [PlannedJob(job.rule, job.wildcards, job.outputs, reason="") for job in jobs]
    found = Estimator.of(plan).by_output(planned)
    return {output: cost.seconds for output, cost in found.items() if cost}


def _total(rule: str, jobs: Sequence[PlannedJob], found: Sequence[JobCost | None]) -> Cost:
    known = [cost for cost in found if cost is not None]
    if not known:
        return Cost(rule, len(jobs), 0, None, None, None, None, None)
    sources = frozenset[str]().union(*(cost.sources for cost in known))
    finished = sources - {REHEARSAL, ARITHMETIC}
    named = [*([FINISHED] if finished else []), *sorted(sources - finished)]
    return Cost(
        rule=rule,
        jobs=len(jobs),
        measured=len(finished),
        source=" or ".join(named),
        hours=sum(cost.seconds for cost in known) / 3600,
        disk_bytes=sum(cost.disk_bytes for cost in known),
        sent_bytes=sum(cost.sent_bytes for cost in known),
        device=" or ".join(sorted({_said(cost) for cost in known})),
    )


def _said(cost: JobCost) -> str:
    """Return the device, and for a CPU the number of cores."""
    return f"{cost.cores} core{'s'[: cost.cores != 1]}" if cost.cores else cost.device


def _mean_cost(records: Sequence[Record]) -> JobCost:
    """Return the mean cost of finished jobs."""
    gpus = sorted({record.content["hardware"]["gpu"] or CPU for record in records})
    threads = [int(record.content.get("settings", {}).get("threads", 1)) for record in records]
    return JobCost(
        seconds=_mean([record.content["seconds"] for record in records]),
        device=" or ".join(gpus),
        cores=max(threads) if gpus == [CPU] else 0,
        disk_bytes=_mean([_size(record) for record in records]),
        sent_bytes=_mean([_sent(record) for record in records]),
        sources=frozenset(record.path.as_posix() for record in records),
    )


def _most_alike(
    jobs: Sequence[PlannedJob], measured: Sequence[Record], names: Sequence[str] = _ALIKE
) -> list[tuple[Sequence[PlannedJob], Sequence[Record]]]:
    """Group planned jobs; return each group with the finished jobs most like it."""
    if not names or not jobs:
        return [(jobs, measured)] if jobs else []
    name, *further = names
    known: dict[str | None, list[Record]] = {}
    for record in measured:
        known.setdefault(record.content["wildcards"].get(name), []).append(record)
    planned: dict[str | None, list[PlannedJob]] = {}
    for job in jobs:
        value = job.wildcards.get(name)
        planned.setdefault(value if value in known else _OTHER, []).append(job)
    # For a value that no finished job has, the finished jobs of all values are the best guess.
    return [
        group
        for value, part in planned.items()
        for group in _most_alike(part, known.get(value, measured), further)
    ]


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def _size(record: Record) -> int:
    return sum(path.stat().st_size for path in record.files("outputs") if path.is_file())


def _sent(record: Record) -> int:
    """Return the bytes that the clients and the server of a federation would have sent."""
    return int(record.content.get("bytes_up", 0)) + int(record.content.get("bytes_down", 0))
