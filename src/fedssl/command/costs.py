"""What jobs cost, from what jobs of the same kind were measured to cost."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from fedssl.command.dry_run import PlannedJob
from fedssl.grid.cell import AXES
from fedssl.record.read import Record, find_records, read_record

# What makes jobs of one rule take as long as each other, the most telling first.
_LEAST = "aggregator"
_ALIKE = (*(axis for axis in AXES if axis != _LEAST), "task", "dataset", _LEAST)
_OTHER = "/"  # no wildcard's value: of the jobs that none measured is like


@dataclass(frozen=True)
class Cost:
    """The planned jobs of one rule, and what they cost if they go like those measured.

    `measured` is the number of finished jobs that this rests on. Where it is 0, all the rest is
    None: unknown.
    """

    rule: str
    jobs: int
    measured: int
    hours: float | None
    disk_bytes: float | None
    sent_bytes: float | None
    device: str | None


def measured_jobs(results: str | Path) -> list[Record]:
    """Return the records of finished jobs in a results folder; none where there is no folder."""
    root = Path(results).absolute()
    records = (read_record(path, root) for path in find_records(root))
    return [record for record in records if record.intact]


def costs(jobs: Iterable[PlannedJob], measured: Sequence[Record]) -> list[Cost]:
    """Return one cost per rule that has planned jobs, in their order."""
    by_rule: dict[str, list[PlannedJob]] = {}
    for job in jobs:
        if job.outputs:  # a named target is no work
            by_rule.setdefault(job.rule, []).append(job)
    return [_cost(rule, planned, measured) for rule, planned in by_rule.items()]


def _cost(rule: str, jobs: Sequence[PlannedJob], measured: Sequence[Record]) -> Cost:
    same = [record for record in measured if record.rule == rule]
    if not same:
        return Cost(rule, len(jobs), 0, None, None, None, None)
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


def _most_alike(
    jobs: Sequence[PlannedJob], measured: Sequence[Record], names: Sequence[str] = _ALIKE
) -> list[tuple[int, Sequence[Record]]]:
    """Return how many planned jobs share the most telling wildcards with which measured ones."""
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
    """Return the bytes that a federation would have sent, up and down."""
    return int(record.content.get("bytes_up", 0)) + int(record.content.get("bytes_down", 0))
