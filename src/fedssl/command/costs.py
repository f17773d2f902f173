"""Estimate the cost of planned jobs: from similar finished jobs, or by arithmetic."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from fedssl.command.dry_run import PlannedJob
from fedssl.grid.cell import AXES
from fedssl.grid.plan import Plan
from fedssl.record.read import Record, find_records, read_record
from fedssl.resources.arithmetic import arithmetic

# Wildcards by which jobs of one rule are matched, the most important first. The aggregator is last
# because it hardly changes the duration.
_LEAST = "aggregator"
_ALIKE = (*(axis for axis in AXES if axis != _LEAST), "task", "dataset", _LEAST)
_OTHER = "/"  # stands for all values that no finished job has; no wildcard has a slash here


@dataclass(frozen=True)
class Cost:
    """The estimated cost of the planned jobs of one rule.

    `measured` is the number of finished jobs behind the estimate. If it is 0, the cost is that by
    arithmetic, or None where that is unknown, too.
    """

    rule: str
    jobs: int
    measured: int
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


def costs(jobs: Iterable[PlannedJob], measured: Sequence[Record], plan: Plan) -> list[Cost]:
    """Return one cost per rule with planned jobs, in the order of the jobs."""
    by_rule: dict[str, list[PlannedJob]] = {}
    for job in jobs:
        if job.outputs:  # a named target has none and costs nothing
            by_rule.setdefault(job.rule, []).append(job)
    return [_cost(rule, planned, measured, plan) for rule, planned in by_rule.items()]


def _cost(rule: str, jobs: Sequence[PlannedJob], measured: Sequence[Record], plan: Plan) -> Cost:
    same = [record for record in measured if record.rule == rule]
    if not same:
        return _by_arithmetic(rule, jobs, plan)
    alike = _most_alike(jobs, same)
    used = {record.path: record for _, group in alike for record in group}
    gpus = {record.content["hardware"]["gpu"] for record in used.values()}
    return Cost(
        rule=rule,
        jobs=len(jobs),
        measured=len(used),
        hours=sum(n * _mean([r.content["seconds"] for r in group]) for n, group in alike) / 3600,
        disk_bytes=sum(n * _mean([_size(r) for r in group]) for n, group in alike),
        sent_bytes=sum(n * _mean([_sent(r) for r in group]) for n, group in alike),
        device=" or ".join(sorted(gpu or "CPU" for gpu in gpus)),
    )


def _by_arithmetic(rule: str, jobs: Sequence[PlannedJob], plan: Plan) -> Cost:
    found = [own for job in jobs if (own := arithmetic(plan, rule, job.wildcards))]
    if not found:
        return Cost(rule, len(jobs), 0, None, None, None, None)
    return Cost(
        rule=rule,
        jobs=len(jobs),
        measured=0,
        hours=sum(own.seconds for own in found) / 3600,
        disk_bytes=sum(own.disk_bytes for own in found),
        sent_bytes=sum(own.sent_bytes for own in found),
        device=" or ".join(sorted({own.device for own in found})),
    )


def _most_alike(
    jobs: Sequence[PlannedJob], measured: Sequence[Record], names: Sequence[str] = _ALIKE
) -> list[tuple[int, Sequence[Record]]]:
    """Group planned jobs; return the size of each group and the finished jobs most like it."""
    if not names or not jobs:
        return [(len(jobs), measured)] if jobs else []
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
