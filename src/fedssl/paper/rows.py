"""Find the cells behind the rows of tables and the lines of figures, and name them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any

from fedssl.grid.cell import AXES, RANDOM_INIT
from fedssl.grid.own_studies import is_own
from fedssl.paper.names import own_name, pretraining_name, word

if TYPE_CHECKING:
    from fedssl.grid.cell import Cell
    from fedssl.grid.cells import Grid
    from fedssl.grid.plan import Plan

# The papers name these axes only in rows that differ in them.
_ROW_DEFAULTS = {"method": "simclr", "aggregator": "fedavg", "variant": "base"}


def of_studies(plan: Plan, section: str) -> dict[str, str]:
    """Return name -> study of the entries of a configuration section whose study has cells."""
    entries = plan.grid.config[section].items()
    return {name: entry["study"] for name, entry in entries if entry["study"] in plan.studies}


def row_axes(row: Mapping[str, Any]) -> dict[str, str]:
    """Return the axes of a table row's cells; empty for a row that is only quoted."""
    if row.get("published_only", False):
        return {}
    if row.get("random_init", False):
        named = {axis: row[axis] for axis in ("arch", "variant") if axis in row}
        return {"method": RANDOM_INIT, **named}
    return {axis: row.get(axis, _ROW_DEFAULTS.get(axis)) for axis in AXES}


def by_axes(grid: Grid, study: str) -> list[list[Cell]]:
    """Return the cells of a study, grouped so that the cells of a group differ only in seed."""
    groups: dict[tuple[str, ...], list[Cell]] = {}
    for cell in grid.select(study=study):
        groups.setdefault(tuple(cell.axes.values()), []).append(cell)
    return list(groups.values())


def label(grid: Grid, cell: Cell, *, panel: Collection[str] = ()) -> str:
    """Return the shortest name that distinguishes a cell from the others of its study.

    Seeds share a name. So do cells that differ only in the axes `panel`, which a title names.
    """
    shown = [axis for axis in grid.varying_axes(cell.study) if axis not in panel]
    if is_own(cell.study):
        # Without a varying axis, the parts of the only cell are its name.
        parts = [axis for axis in ("arch", "method", "aggregator") if axis not in panel]
        return own_name(cell.axes, shown=shown) or own_name(cell.axes, shown=parts)
    # In a study of one cell no axis varies; its split is then the name.
    return pretraining_name(cell.axes, shown=shown) or word(cell.split)


def cell_axes(plan: Plan, study: str) -> dict[str, dict[str, str]]:
    """Return label -> axes of each cell of a study."""
    cells = (seeds[0] for seeds in by_axes(plan.grid, study))
    return {label(plan.grid, cell): cell.axes for cell in cells}


def base_first(variant: str) -> tuple[bool, str]:
    """Return a sort key that puts the variant `base` before all others."""
    return variant != "base", variant
