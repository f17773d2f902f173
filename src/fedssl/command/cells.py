"""`fedssl cells`: list the declared cells and their status."""

from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fedssl import backbones, methods
from fedssl.command.output import (
    Config,
    Configfiles,
    Json,
    print_json,
    print_line,
    print_table,
    working,
)
from fedssl.errors import UserError
from fedssl.grid.cell import ALL_AXES, CENTRALISED

if TYPE_CHECKING:
    from fedssl.command.project import Project

_TRAINED = ("pretrained", "done")
_STATUS = ("not-run", "running", "interrupted", "damaged", "other-settings", "pretrained", "done")
# A killed job cannot log its end, so a silent log is the only sign that works on every executor.
_SILENT_S = 60.0


def _filter(help_: str) -> Any:
    return typer.Option(metavar="NAME", help=f"List only cells of this {help_}.")


def cells(
    configfile: Configfiles = None,
    config: Config = None,
    study: Annotated[str | None, _filter("study, such as fssuavl")] = None,
    method: Annotated[str | None, _filter(f"method: {', '.join(methods.names())}")] = None,
    arch: Annotated[str | None, _filter(f"encoder: {', '.join(backbones.names())}")] = None,
    aggregator: Annotated[str | None, _filter("aggregator, such as fedavg or l-dawa-bb")] = None,
    split: Annotated[str | None, _filter("modality split, such as a0-i100-b0")] = None,
    variant: Annotated[str | None, _filter("variant, such as base")] = None,
    seed: Annotated[str | None, _filter("seed, such as 0")] = None,
    status: Annotated[
        str | None,
        typer.Option(metavar="NAME", help=f"List only cells of this status: {', '.join(_STATUS)}."),
    ] = None,
    json: Json = False,
) -> None:
    """List the declared cells with their status, and the latest round of unfinished cells.

    A cell counts as interrupted if it has not written to its log for one
    minute plus the duration of three rounds. It counts as damaged if a file
    of it is missing, empty or cut off; `fedssl repair` also finds changed
    bytes, and says how to make the files again.
    """
    from fedssl.command.project import open_project

    given = (study, method, arch, aggregator, split, variant, seed, status)
    columns = (*ALL_AXES, "status")
    wanted = {name: v for name, v in zip(columns, given, strict=True) if v is not None}
    project = open_project(configfile or [], config or [])
    with working(f"reading the status of {len(project.grid.cells)} cells"):
        every = list(_records(project))
    _check(wanted, every)
    found = [r for r in every if all(str(r[name]) == v for name, v in wanted.items())]
    if json:
        print_json(found)
        return
    for record in found:
        record["status"] = ": ".join(filter(None, (record["status"], record["progress"])))
    print_table(columns, [[record[column] for column in columns] for record in found])
    print_line()
    results = Path(project.tree.results).absolute()
    print_line(f"{len(found)} of {len(every)} cells; the status is that in {results}")
    with working("estimating the time left"):
        left = _time_left(project, every)
    print_line(_counted(every, left))


def _counted(every: list[dict[str, Any]], left: str) -> str:
    """Return how many cells are pretrained, the time left, and how many have each other status."""
    counts = Counter(_status(record) for record in every)
    trained = sum(counts[name] for name in _TRAINED)
    others = [f"{counts[name]} {name}" for name in _STATUS if counts[name] and name != "pretrained"]
    return f"{trained} of {len(every)} pretrained{left}: {', '.join(others)}"


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
        share = 1 - last.done / last.total if last and last.done < last.total else 1.0
        seconds += share * cost.seconds if cost else 0.0
    return f", about {duration(seconds / 3600)} left one after another" if seconds else ""


def _records(project: "Project") -> Iterable[dict[str, Any]]:
    """Yield the axes, status and path of each cell, and its progress or damage, else None."""
    from fedssl.record.status import cell_damage, status

    grid, tree = project.grid, project.tree
    for cell in grid.cells:
        known, progress = status(grid, cell, tree), None
        if known in ("not-run", "damaged"):
            unfinished, progress = _unfinished(tree.pretrain_log(cell))
            # A job that trains the cell again has removed the files that it will write.
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


def _check(wanted: dict[str, str], records: list[dict[str, Any]]) -> None:
    """Raise UserError for a value that no cell has."""
    from fedssl.grid.configuration import closest

    for axis, value in wanted.items():
        found = {str(record[axis]) for record in records}
        known = _STATUS if axis == "status" else sorted(found)
        if value not in known:
            raise UserError(
                f"--{axis} is {value!r}{closest(value, known)}; there are {', '.join(known)}."
            )
