"""`fedssl cells`: list the declared cells and their status."""

from pathlib import Path
from typing import Annotated, Any

import typer

from fedssl import backbones, methods
from fedssl.command.cell_status import STATUS, cell_records, counted
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
from fedssl.grid.cell import ALL_AXES


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
        typer.Option(metavar="NAME", help=f"List only cells of this status: {', '.join(STATUS)}."),
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
    from fedssl.record.read import find_records

    given = (study, method, arch, aggregator, split, variant, seed, status)
    columns = (*ALL_AXES, "status")
    wanted = {name: v for name, v in zip(columns, given, strict=True) if v is not None}
    project = open_project(configfile or [], config or [])
    with working(f"reading the status of {len(project.grid.cells)} cells"):
        find_records(Path(project.tree.results))  # refuses a folder whose files would be missed
        every = list(cell_records(project))
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
        summary = counted(project, every)
    print_line(summary)


def _check(wanted: dict[str, str], records: list[dict[str, Any]]) -> None:
    """Raise UserError for a value that no cell has."""
    from fedssl.grid.configuration import closest

    for axis, value in wanted.items():
        found = {str(record[axis]) for record in records}
        known = STATUS if axis == "status" else sorted(found)
        if value not in known:
            raise UserError(
                f"--{axis} is {value!r}{closest(value, known)}; there are {', '.join(known)}."
            )
