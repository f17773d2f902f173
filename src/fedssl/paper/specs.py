"""What each table and figure is made of: the grid turned into plain data for the reporting."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from fedssl.grid.cell import AXES, Cell
from fedssl.grid.cells import Grid
from fedssl.grid.paired_protocols import PAIRED_PROTOCOLS, paired_protocols
from fedssl.grid.paths import ROUND_PROTOCOLS, ResultPaths
from fedssl.paper.names import pretraining_name, word

_ROW_DEFAULTS = {"method": "simclr", "aggregator": "fedavg", "variant": "base"}


def table_spec(grid: Grid, name: str, tree: ResultPaths) -> dict[str, Any]:
    """Return a table's columns, and the metric files of each row's cells."""
    table = grid.config["tables"][name]
    return {
        "study": table["study"],
        "table": table["table"],
        "title": table["title"],
        "not_held_to": table.get("not_held_to", []),
        **scale(grid),
        "columns": list(_columns(grid, table)),
        "rows": [_row(grid, table, row, tree) for row in table["rows"]],
    }


def datasets_spec(grid: Grid, tree: ResultPaths) -> dict[str, Any]:
    """Return the paper's numbers of every dataset, and the banks that are counted."""
    entries = grid.config["datasets"].items()
    return {**scale(grid), "datasets": [_dataset(name, entry, tree) for name, entry in entries]}


def _dataset(name: str, entry: Mapping[str, Any], tree: ResultPaths) -> dict[str, Any]:
    published = entry.get("published", {})
    symbol = published.get("symbol")
    return {
        "name": name,
        "row": f"{entry['title']} ({symbol})" if symbol else entry["title"],
        "bank": tree.bank(name),
        "splits": list(entry["splits"]),
        "note": published.get("differences"),
        "published": published.get("numbers", {}),
    }


def loss_figure_inputs(grid: Grid, study: str, tree: ResultPaths) -> list[str]:
    """Return the history of each cell of a study."""
    return [tree.rounds(cell) for cell in grid.select(study=study)]


def loss_figure_spec(grid: Grid, study: str, tree: ResultPaths) -> dict[str, Any]:
    """Return the history files of a study's cells, coloured by split where it has several."""
    cells = grid.select(study=study)
    variants = sorted({cell.variant for cell in cells}, key=base_first)
    several = len({cell.split for cell in cells}) > 1
    return {
        "title": f"{study}: training loss per round",
        **scale(grid),
        "curves": [
            {
                "label": label(grid, cell, panel="method"),
                "method": cell.method,
                "path": tree.rounds(cell),
                **(
                    {"split": cell.split}
                    if several
                    else {"aggregator": cell.aggregator, "variant": variants.index(cell.variant)}
                ),
            }
            for cell in cells
        ],
    }


def base_first(variant: str) -> tuple[bool, str]:
    """Return what sorts variants by name, base before all others."""
    return variant != "base", variant


def table_inputs(grid: Grid, name: str, tree: ResultPaths) -> list[str]:
    """Return every metric file that a table reads."""
    rows = table_spec(grid, name, tree)["rows"]
    return sorted(
        path
        for row in rows
        for cell in row["cells"]
        for paths in cell["metrics"].values()
        for path in paths.values()
    )


def label(grid: Grid, cell: Cell, *, panel: str = "") -> str:
    """Return the shortest name that tells a cell from the others of its study, seeds apart.

    Those that differ in the axis `panel` need not be told apart.
    """
    shown = [axis for axis in grid.varying_axes(cell.study) if axis != panel]
    return pretraining_name(cell.axes, shown=shown) or word(cell.split)


def row_axes(row: Mapping[str, Any]) -> dict[str, str]:
    """Return the axes of the cells in a table's row, as far as they have any."""
    if row.get("published_only", False):
        return {}
    if row.get("random_init", False):
        return {"method": "random-init", "arch": row["arch"]}
    return {axis: row.get(axis, _ROW_DEFAULTS.get(axis)) for axis in AXES}


def scale(grid: Grid) -> dict[str, str]:
    """Return whether numbers are at the paper's scale, and what was scaled."""
    return {"scale": grid.config["scale"]["kind"], "scale_note": grid.config["scale"]["note"]}


def _columns(grid: Grid, table: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the paper's columns, then the study's further tasks of the table's modality.

    `protocol` is what the paper calls it and `score` whose files are read: knn and knn-av.
    """
    for protocol in table["protocols"]:
        for column in (*table["columns"], *_further_columns(grid, table, protocol)):
            shown = f"-{column['input']}" if "input" in column else ""
            if column.get("protocol", protocol) == protocol:
                yield {**column, "protocol": protocol, "score": f"{protocol}{shown}"}


def _further_columns(
    grid: Grid, table: Mapping[str, Any], protocol: str
) -> Iterator[dict[str, Any]]:
    """Yield a column a further task; for a second split nobody trains the same model again."""
    named = {task for column in table["columns"] for task in column["tasks"]}
    for task in grid.tasks(table["study"]):
        if task.modality != table.get("modality") or task.task in named:
            continue
        if protocol != "fine-tune" or task.task == task.dataset:
            yield {"column": task.title, "tasks": [task.task]}


def _row(
    grid: Grid, table: Mapping[str, Any], row: Mapping[str, Any], tree: ResultPaths
) -> dict[str, Any]:
    study, random_init = table["study"], row.get("random_init", False)
    if row.get("published_only", False):
        return {**row, "declared": False, "cells": []}
    if random_init:
        cells, metric = _random_encoders(grid, study, row["arch"]), tree.random_init_metric
        lacks = {"fine-tune", *ROUND_PROTOCOLS}
    else:
        axes = row_axes(row)
        cells, metric = _cells(grid, study, axes), tree.metric
        lacks = set(PAIRED_PROTOCOLS).difference(paired_protocols(axes["split"]))
        if not all(grid.keeps_rounds(own) for cell in cells for own in cell.checkpoints):
            lacks.update(ROUND_PROTOCOLS)
    columns = [column for column in _columns(grid, table) if column["score"] not in lacks]
    entries = [
        {
            "seed": cell.seed,
            "cell": None if random_init else " ".join(map(tree.model, cell.checkpoints)),
            "metrics": _metrics(grid, columns, cell, metric),
        }
        for cell in cells
    ]
    own = {key: row[key] for key in ("row", "parameters") if key in row}
    return {**own, "declared": bool(cells), "lacks": sorted(lacks), "cells": entries}


def _cells(grid: Grid, study: str, axes: Mapping[str, str]) -> list[Cell]:
    """Return a row's cells, one a seed; of two specialists where both are declared."""
    splits = axes["split"].split("+")
    parts = [grid.select(study=study, **{**axes, "split": split}) for split in splits]
    return [replace(cell, split=axes["split"]) for cell in parts[0]] if all(parts) else []


def _metrics(
    grid: Grid, columns: list[dict[str, Any]], cell: Cell, metric: Callable[[Cell, str, str], str]
) -> dict[str, dict[str, str]]:
    """Return protocol -> task -> metric file, of the columns' declared tasks and pairs."""
    declared = {task.task for task in grid.tasks(cell.study)}
    declared |= {pair.pair for pair in grid.pairs(cell.study)}
    found: dict[str, dict[str, str]] = {}
    for column in columns:
        for task in filter(declared.__contains__, column["tasks"]):
            found.setdefault(column["score"], {})[task] = metric(cell, task, column["score"])
    return found


def _random_encoders(grid: Grid, study: str, arch: str) -> list[Cell]:
    """Return one cell a seed that starts from the unchanged encoder of an architecture."""
    initial = (
        replace(c, variant=grid.initial_variant(c)) for c in grid.select(study=study, arch=arch)
    )
    return list({cell.seed: cell for cell in initial if cell.variant == "base"}.values())


def by_axes(grid: Grid, study: str) -> list[list[Cell]]:
    """Return the seeds of each cell of a study."""
    groups: dict[tuple[str, ...], list[Cell]] = {}
    for cell in grid.select(study=study):
        groups.setdefault(tuple(cell.axes.values()), []).append(cell)
    return list(groups.values())
