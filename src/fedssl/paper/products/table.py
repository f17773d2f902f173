"""The tables of the papers: published numbers next to measured ones."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from fedssl.errors import UserError
from fedssl.grid.configuration import origin
from fedssl.grid.own_studies import is_own
from fedssl.grid.paired_protocols import missing_protocols
from fedssl.grid.paths import ROUND_PROTOCOLS
from fedssl.paper.own_tables import get_table, own_names
from fedssl.paper.products.product import Axes, Product, Spec
from fedssl.paper.rows import of_studies, row_axes
from fedssl.paper.tables import write_table

if TYPE_CHECKING:
    from fedssl.grid.cell import Cell
    from fedssl.grid.cells import Grid
    from fedssl.grid.paths import ResultPaths
    from fedssl.grid.plan import Plan


def names(plan: Plan) -> dict[str, str]:
    """Return the tables of the studies that have cells."""
    return {**own_names(plan.studies), **of_studies(plan, "tables")}


def check_tables(plan: Plan) -> None:
    """Raise UserError for a table without columns and without a modality that adds columns."""
    for name, table in plan.config["tables"].items():
        if not table["columns"] and "modality" not in table:
            place = origin(("tables", name), plan.layers)
            raise UserError(
                f"{place}: tables.{name}.columns is empty; name a column, or give the table a "
                "modality, whose tasks become its columns."
            )


def spec(plan: Plan, name: str) -> dict[str, Any]:
    """Return the columns, rows and published numbers of a table."""
    study = get_table(plan.grid, name)["study"]
    # Only the study's files: an edit of the other paper's numbers must not rerun this table.
    files = () if is_own(study) else (plan.checkout / "config/published").glob(f"{study}*.csv")
    own = table_spec(plan.grid, name, plan.paths)
    return {**own, "published": sorted(map(str, files))}


def inputs(plan: Plan, name: str) -> dict[str, list[str]]:
    """Return the files that a table is made of."""
    own = spec(plan, name)
    return {"metrics": metric_files(own), "published": own["published"]}


def axes(plan: Plan, name: str) -> Axes:
    """Return the axes of each row."""
    return {row["row"]: row_axes(row) for row in get_table(plan.grid, name)["rows"]}


PRODUCT = Product(
    names=names,
    spec=spec,
    inputs=inputs,
    tables=("csv", "md", "html", "tex", "seeds"),
    write=write_table,
    shown="numbers",
    axes=axes,
)


def table_spec(grid: Grid, name: str, paths: ResultPaths) -> dict[str, Any]:
    """Return the columns of a table, and its rows with their score files."""
    table = get_table(grid, name)
    return {
        "study": table["study"],
        "own": is_own(table["study"]),
        "table": table["table"],
        "title": table["title"],
        "not_held_to": table.get("not_held_to", []),
        "not_comparable": grid.not_comparable(table["study"]),
        "resolution": grid.config["verdicts"]["resolution"],
        **grid.scale,
        "columns": list(_columns(grid, table)),
        "rows": [_row(grid, table, row, paths) for row in table["rows"]],
    }


def metric_files(spec: Spec) -> list[str]:
    """Return the score files of a table, sorted."""
    found = {
        path
        for row in spec["rows"]
        for cell in row["cells"]
        for scores in (cell["metrics"], cell.get("random_init", {}))
        for paths in scores.values()
        for path in paths.values()
    }
    return sorted(found)


def _columns(grid: Grid, table: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the paper's columns, then the study's further tasks of the table's modality.

    `protocol` is the paper's name and `score` that of the score files, for example knn and knn-av.
    """
    for protocol in table["protocols"]:
        for column in (*table["columns"], *_further_columns(grid, table, protocol)):
            shown = f"-{column['input']}" if "input" in column else ""
            if column.get("protocol", protocol) == protocol:
                yield {**column, "protocol": protocol, "score": f"{protocol}{shown}"}


def _further_columns(
    grid: Grid, table: Mapping[str, Any], protocol: str
) -> Iterator[dict[str, Any]]:
    named = {task for column in table["columns"] for task in column["tasks"]}
    for task in grid.tasks(table["study"]):
        if task.modality != table.get("modality") or task.task in named:
            continue
        # A second split of a dataset has the same training data, so it is not fine-tuned again.
        if protocol != "fine-tune" or task.task == task.dataset:
            yield {"column": task.title, "tasks": [task.task]}


def _row(
    grid: Grid, table: Mapping[str, Any], row: Mapping[str, Any], paths: ResultPaths
) -> dict[str, Any]:
    """Return a row with its cells, and under `lacks` the scores that its cells cannot have."""
    study, random_init = table["study"], row.get("random_init", False)
    if row.get("published_only", False):
        return {**row, "declared": False, "cells": []}
    if random_init:
        cells = _random_encoders(grid, study, row["arch"], variant=row.get("variant", "base"))
        metric = paths.random_init_metric
        lacks = set(ROUND_PROTOCOLS)
    else:
        axes = row_axes(row)
        cells, metric = _cells(grid, study, axes), paths.metric
        lacks = missing_protocols(axes["split"])
        if not all(grid.keeps_rounds(own) for cell in cells for own in cell.checkpoints):
            lacks.update(ROUND_PROTOCOLS)
    columns = [column for column in _columns(grid, table) if column["score"] not in lacks]
    entries = [
        {
            "seed": cell.seed,
            "cell": None if random_init else " ".join(map(paths.model, cell.checkpoints)),
            "metrics": _metrics(grid, columns, cell, metric),
            **({} if random_init else {"random_init": _before(grid, columns, cell, paths)}),
        }
        for cell in cells
    ]
    own = {key: row[key] for key in ("row", "arch", "parameters") if key in row}
    return {**own, "declared": bool(cells), "lacks": sorted(lacks), "cells": entries}


def _cells(grid: Grid, study: str, axes: Mapping[str, str]) -> list[Cell]:
    """Return the cells of a row, one per seed."""
    # The two specialists have scores of their own, in the folder of a cell whose split joins
    # theirs. Such a cell is not in the grid because nothing is trained for it.
    splits = axes["split"].split("+")
    parts = [grid.select(study=study, **{**axes, "split": split}) for split in splits]
    return [replace(cell, split=axes["split"]) for cell in parts[0]] if all(parts) else []


def _metrics(
    grid: Grid,
    columns: Iterable[dict[str, Any]],
    cell: Cell,
    metric: Callable[[Cell, str, str], str],
) -> dict[str, dict[str, str]]:
    """Return score -> task -> score file for the declared tasks and pairs of the columns."""
    # A configuration may leave out tasks of the papers; their columns are then not-run.
    declared = {task.task for task in grid.tasks(cell.study)}
    declared |= {pair.pair for pair in grid.pairs(cell.study)}
    found: dict[str, dict[str, str]] = {}
    for column in columns:
        for task in filter(declared.__contains__, column["tasks"]):
            found.setdefault(column["score"], {})[task] = metric(cell, task, column["score"])
    return found


def _before(
    grid: Grid, columns: Iterable[dict[str, Any]], cell: Cell, paths: ResultPaths
) -> dict[str, dict[str, str]]:
    """Return score -> task -> score file of a cell's encoder before training."""
    # Two specialists start from the same encoder, so the first one stands for both.
    start = replace(cell, variant=grid.initial_variant(cell.checkpoints[0]))
    scored = [column for column in columns if column["score"] not in ROUND_PROTOCOLS]
    return _metrics(grid, scored, start, paths.random_init_metric)


def _random_encoders(grid: Grid, study: str, arch: str, *, variant: str) -> list[Cell]:
    """Return a cell for each seed that starts from an architecture's encoder of a variant."""
    initial = (
        replace(c, variant=grid.initial_variant(c)) for c in grid.select(study=study, arch=arch)
    )
    # All cells of a seed start from the same encoder, so one of them stands for it.
    return list({cell.seed: cell for cell in initial if cell.variant == variant}.values())
