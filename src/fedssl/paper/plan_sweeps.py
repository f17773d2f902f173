"""Parameters of the rule that draws tables as curves over modality splits."""

from collections.abc import Mapping, Sequence
from typing import Any

from fedssl.errors import UserError
from fedssl.grid.cells import Grid
from fedssl.grid.configuration import Key, Layer, closest, key_text, origin
from fedssl.grid.paths import ResultPaths
from fedssl.grid.splits import parse_split
from fedssl.paper.claims.predicates import heading
from fedssl.paper.specs import row_axes, table_inputs

Wildcards = Any


class SweepRules:
    """Figures whose panels are tables, whose points are rows and whose lines are columns."""

    def __init__(self, grid: Grid, layers: Sequence[Layer], *, tree: ResultPaths) -> None:
        """Name every figure; raise UserError where one draws a table that does not exist."""
        self._grid = grid
        self._tree = tree
        for name, figure in grid.config["sweeps"].items():
            for place, panel in enumerate(figure["panels"]):
                _check(("sweeps", name, "panels", place, "table"), panel["table"], grid, layers)
        self.figures = [name for name in grid.config["sweeps"] if self._can_be_drawn(name)]

    def figure(self, wildcards: Wildcards) -> dict[str, Any]:
        """Return a figure's panels and lines, and the table rows that its points are."""
        figure = self._grid.config["sweeps"][wildcards.figure]
        number = wildcards.figure.removeprefix(f"{figure['study']}_figure")
        scale = self._grid.config["scale"]
        return {
            "title": f"{figure['study']}, figure {number}: {figure['title']}",
            "scale": scale["kind"],
            "scale_note": scale["note"],
            "lines": self._lines(figure),
            "panels": [self._panel(panel) for panel in figure["panels"]],
        }

    def tables(self, wildcards: Wildcards) -> list[str]:
        """Return the tables that a figure draws."""
        panels = self._grid.config["sweeps"][wildcards.figure]["panels"]
        return [self._tree.table(panel["table"]) for panel in panels]

    def metrics(self, wildcards: Wildcards) -> list[str]:
        """Return the metric files behind a figure's tables, which its intervals come from."""
        panels = self._grid.config["sweeps"][wildcards.figure]["panels"]
        found = (table_inputs(self._grid, panel["table"], self._tree) for panel in panels)
        return sorted({path for paths in found for path in paths})

    def records(self, wildcards: Wildcards) -> list[str]:
        """Return the tables' records, which name those metric files."""
        tables = self.tables(wildcards)
        return [table.replace(".csv", ".provenance.json") for table in tables]

    def _table(self, panel: Mapping[str, Any]) -> Mapping[str, Any]:
        table: Mapping[str, Any] = self._grid.config["tables"][panel["table"]]
        return table

    def _panel(self, panel: Mapping[str, Any]) -> dict[str, Any]:
        rows = self._table(panel)["rows"]
        return {
            "title": panel["title"],
            "x": panel["x"],
            "rows": {r["row"]: parse_split(r["split"]).both for r in rows if "split" in r},
            "references": [row["row"] for row in rows if row.get("random_init", False)],
        }

    def _lines(self, figure: Mapping[str, Any]) -> list[dict[str, str]]:
        """Return the columns of the first panel's table; the other panels' are the same."""
        table = self._table(figure["panels"][0])
        tasks = {task.task: task for task in self._grid.tasks(figure["study"])}
        return [
            {
                "column": heading(column["column"], protocol),
                "modality": tasks[column["tasks"][0]].modality,
                "tasks": "; ".join(tasks[task].title for task in column["tasks"]),
            }
            for protocol in table["protocols"]
            for column in table["columns"]
        ]

    def _can_be_drawn(self, name: str) -> bool:
        """Return whether each panel has two rows whose cells, and columns whose tasks, are run."""
        figure = self._grid.config["sweeps"][name]
        known = {task.task for task in self._grid.tasks(figure["study"])}
        tables = [self._table(panel) for panel in figure["panels"]]
        tasks = {
            task for table in tables for column in table["columns"] for task in column["tasks"]
        }
        return tasks <= known and all(self._declared_rows(table) > 1 for table in tables)

    def _declared_rows(self, table: Mapping[str, Any]) -> int:
        rows = [row_axes(row) for row in table["rows"] if "split" in row]
        return sum(bool(self._grid.select(study=table["study"], **row)) for row in rows)


def _check(key: Key, table: str, grid: Grid, layers: Sequence[Layer]) -> None:
    if table not in grid.config["tables"]:
        known = grid.config["tables"]
        raise UserError(
            f"{origin(key, layers)}: {key_text(key)} names {table!r}, which is no table"
            f"{closest(table, known)}; there are {', '.join(known)}."
        )
