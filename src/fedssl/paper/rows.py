"""The cells behind the rows of tables and the lines of figures, and what they are called."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from fedssl.grid.cell import AXES, RANDOM_INIT
from fedssl.paper.names import pretraining_name, word

if TYPE_CHECKING:
    from fedssl.grid.cell import Cell
    from fedssl.grid.cells import Grid
    from fedssl.grid.plan import Plan

# The papers' tables name these axes only where a row differs in them.
_ROW_DEFAULTS = {"method": "simclr", "aggregator": "fedavg", "variant": "base"}


def of_studies(plan: Plan, section: str) -> dict[str, str]:
    """Return name -> study of the entries of a configuration section whose study has cells."""
    entries = plan.grid.config[section].items()
    return {name: entry["study"] for name, entry in entries if entry["study"] in plan.studies}


def row_axes(row: Mapping[str, Any]) -> dict[str, str]:
    """Return the axes of the cells in a table's row, as far as they have any."""
    if row.get("published_only", False):
        return {}
    if row.get("random_init", False):
        return {"method": RANDOM_INIT, "arch": row["arch"]}
    return {axis: row.get(axis, _ROW_DEFAULTS.get(axis)) for axis in AXES}


def by_axes(grid: Grid, study: str) -> list[list[Cell]]:
    """Return the seeds of each cell of a study."""
    groups: dict[tuple[str, ...], list[Cell]] = {}
    for cell in grid.select(study=study):
        groups.setdefault(tuple(cell.axes.values()), []).append(cell)
    return list(groups.values())


def label(grid: Grid, cell: Cell, *, panel: str = "") -> str:
    """Return the shortest name that tells a cell from the others of its study, seeds apart.

    Cells that differ only in the axis `panel` need not be told apart.
    """
    varying = [
        axis
        for axis in AXES
        if axis != panel and len({getattr(c, axis) for c in grid.select(study=cell.study)}) > 1
    ]
    return pretraining_name(cell.axes, shown=varying) or word(cell.split)


def cell_axes(plan: Plan, study: str) -> dict[str, dict[str, str]]:
    """Return label -> axes of each cell of a study."""
    cells = (seeds[0] for seeds in by_axes(plan.grid, study))
    return {label(plan.grid, cell): cell.axes for cell in cells}


def base_first(variant: str) -> tuple[bool, str]:
    """Return a sort key that puts the variant base before all others."""
    return variant != "base", variant
