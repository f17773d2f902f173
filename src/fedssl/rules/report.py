"""Inputs and parameters of the rules that write tables and figures."""

from typing import Any

from fedssl.experiments import Grid
from fedssl.paths import Tree
from fedssl.rules import specs

Wildcards = Any


class ReportRules:
    """Tables and figures, and their names as targets."""

    def __init__(self, grid: Grid, tree: Tree) -> None:
        """Name every product."""
        self._grid = grid
        self._tree = tree
        self.studies = list(grid.config["studies"])
        self.tables = list(grid.config["tables"])
        self.gains = [f"{study}_random_init" for study in self.studies]
        self.figures = [f"{study}_loss" for study in self.studies]

    @property
    def targets(self) -> list[str]:
        """Every name that can stand on the command line."""
        return ["all", *self.studies, *self.tables, *self.gains, *self.figures]

    def file(self, name: str) -> str:
        """Return the file that stands for a table or figure."""
        if name in self.figures:
            return f"{self._tree.results}/figures/{name}.pdf"
        return f"{self._tree.results}/tables/{name}.csv"

    def files(self, study: str) -> list[str]:
        """Return the files of all tables and figures of a study."""
        names = (*self.tables, *self.gains, *self.figures)
        return [self.file(name) for name in names if name.startswith(f"{study}_")]

    def table(self, wildcards: Wildcards) -> dict[str, Any]:
        """Return a table's rows, columns and where each number comes from."""
        return specs.table_spec(self._grid, wildcards.table, self._tree)

    def table_inputs(self, wildcards: Wildcards) -> list[str]:
        """Return every metric file a table reads."""
        return specs.table_inputs(self._grid, wildcards.table, self._tree)

    def gain(self, wildcards: Wildcards) -> dict[str, Any]:
        """Return which scores to compare with the random encoder's."""
        return specs.gains_spec(self._grid, wildcards.study, self._tree)

    def gain_inputs(self, wildcards: Wildcards) -> list[str]:
        """Return every metric file the comparison reads."""
        return specs.gains_inputs(self._grid, wildcards.study, self._tree)

    def loss(self, wildcards: Wildcards) -> dict[str, Any]:
        """Return the curves of a study's loss figure."""
        return specs.loss_figure_spec(self._grid, wildcards.study, self._tree)

    def loss_inputs(self, wildcards: Wildcards) -> list[str]:
        """Return the history of each cell of a study."""
        return specs.loss_figure_inputs(self._grid, wildcards.study, self._tree)
