"""The status of the declared cells, and how long the pretrainings that are left will take."""

import os
from collections import Counter
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from fedssl.grid.cell import CENTRALISED

if TYPE_CHECKING:
    from fedssl.command.project import Project

STATUS = ("not-run", "running", "interrupted", "damaged", "other-settings", "pretrained", "done")
_TRAINED = ("pretrained", "done")
# A killed job cannot log its end, so a silent log is the only sign that works on every executor.
_SILENT_S = 60.0


def cell_records(project: "Project") -> Iterable[dict[str, Any]]:
    """Yield the axes, status and path of each cell, and its progress or damage, else None."""
    from fedssl.record.status import cell_damage, status

    grid, tree = project.grid, project.tree
    for cell in grid.cells:
        known, progress = status(grid, cell, tree), None
        # Snakemake has removed the record of a cell that a job trains again.
        if known in ("not-run", "damaged") and not os.path.lexists(tree.provenance(cell)):
            unfinished, progress = _unfinished(tree.pretrain_log(cell))
            known = known if unfinished == "not-run" else unfinished
        if known == "damaged":
            first = cell_damage(cell, tree)[0]
            progress = f"{first.path.name} {first.what}"
        state = {"status": known, "progress": progress, "path": tree.model(cell)}
        yield {**cell.all_axes, **state}


def _unfinished(log: str) -> tuple[str, str | None]:
    """Return the status and progress of a cell without a model, from the log of its job."""
    from fedssl.progress import format_duration, last_logged_round

    last = last_logged_round(log)
    running = last is not None and last.since < _SILENT_S + 3 * last.seconds_per_round
    if last is None or (last.done == last.total and not running):
        return "not-run", None
    return "running" if running else "interrupted", f"{last}, {format_duration(last.since)} ago"


def counted(project: "Project", every: list[dict[str, Any]]) -> str:
    """Return how many cells are pretrained, the time left, and how many have each other status."""
    counts = Counter(_status(record) for record in every)
    trained = sum(counts[name] for name in _TRAINED)
    others = [f"{counts[name]} {name}" for name in STATUS if counts[name] and name != "pretrained"]
    said = f"{trained} of {len(every)} pretrained{_time_left(project, every)}"
    return f"{said}: {', '.join(others)}" if others else said


def _status(record: dict[str, Any]) -> str:
    status: str = record["status"].partition(":")[0]
    return status


def _time_left(project: "Project", every: list[dict[str, Any]]) -> str:
    """Return the time that the other pretrainings will take; "" if nothing is left or known."""
    pairs = zip(project.grid.cells, every, strict=True)
    left = {record["path"]: cell for cell, record in pairs if _status(record) not in _TRAINED}
    if not left:
        return ""
    from fedssl.command.costs import Estimator
    from fedssl.command.dry_run import PlannedJob
    from fedssl.command.estimate import duration
    from fedssl.progress import last_logged_round

    jobs = []
    for path, cell in left.items():
        rule = "pretrain_centralised" if cell.aggregator == CENTRALISED else "pretrain"
        wildcards = {axis: str(value) for axis, value in cell.all_axes.items()}
        jobs.append(PlannedJob(rule, wildcards, (path,), reason=""))
    seconds = 0.0
    for path, cost in Estimator.of(project.plan).by_output(jobs).items():
        last = last_logged_round(project.tree.pretrain_log(left[path]))
        # A cell that is damaged, or of other settings, starts again after its last round.
        if last and last.done < last.total:
            seconds += last.seconds_per_round * (last.total - last.done)
        elif cost:
            seconds += cost.seconds
    return f", about {duration(seconds / 3600)} left one after another" if seconds else ""
