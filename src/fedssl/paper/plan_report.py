"""Inputs and parameters of the rules that write tables and figures."""

from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from fedssl.grid.cells import Grid
from fedssl.grid.paths import ResultPaths
from fedssl.paper import comparisons, plan_rounds, specs

Wildcards = Any


def shown(caption: str, name: str, category: str) -> dict[str, Any]:
    """Return how `snakemake --report` shows an output: its caption, name and group."""
    labels = {"name": name}
    return {"caption": f"../report/{caption}.rst", "category": category, "labels": labels}


class ReportRules:
    """Tables and figures, and their names as targets."""

    def __init__(
        self, grid: Grid, tree: ResultPaths, *, published: Path, figures: Iterable[str]
    ) -> None:
        """Name every product.

        `published` is the folder of the papers' numbers; `figures` are the papers', beside those
        that each study has.
        """
        self._published = published
        self._grid = grid
        self._tree = tree
        self.studies = [study for study in grid.config["studies"] if grid.select(study=study)]
        self.tables = self._of_studies("tables")
        self.gains = [f"{study}_random_init" for study in self.studies]
        self.contrasts = self._of_studies("contrasts")
        scored = [study for study in self.studies if plan_rounds.scored_cells(grid, study)]
        self.ledgers = [f"{study}_communication" for study in self.studies]
        self.figures = [
            *figures,
            *(f"{study}_loss" for study in self.studies),
            *(f"{study}_rounds" for study in scored),
        ]

    def _of_studies(self, kind: str) -> list[str]:
        """Return the products of a kind that belong to a study with cells."""
        declared = self._grid.config[kind].items()
        return [name for name, product in declared if product["study"] in self.studies]

    @property
    def products(self) -> list[str]:
        """The names of all tables and figures."""
        return [*self.tables, *self.gains, *self.contrasts, *self.ledgers, *self.figures]

    @property
    def targets(self) -> list[str]:
        """Every name that can stand on the command line."""
        single = ("all", "audit", "certificate", "crate", "datasets_table")
        return [*single, *self.studies, *self.products]

    def file(self, name: str) -> str:
        """Return the file that stands for a table or figure."""
        if name in self.figures:
            return f"{self._tree.results}/figures/{name}.pdf"
        return self._tree.table(name)

    def files(self, study: str) -> list[str]:
        """Return the files of all tables and figures of a study."""
        return [self.file(name) for name in self.products if name.startswith(f"{study}_")]

    @property
    def all_files(self) -> list[str]:
        """The files of all tables and figures of all studies."""
        return [file for study in self.studies for file in self.files(study)]

    def moment(self, _wildcards: Wildcards) -> str:
        """Return another text each time: whoever changes a file can keep its time and size."""
        return datetime.now(UTC).isoformat()

    def table(self, wildcards: Wildcards) -> dict[str, Any]:
        """Return a table's rows, columns and where each number comes from."""
        return specs.table_spec(self._grid, wildcards.table, self._tree)

    def table_inputs(self, wildcards: Wildcards) -> list[str]:
        """Return every metric file a table reads."""
        return specs.table_inputs(self._grid, wildcards.table, self._tree)

    def published(self, wildcards: Wildcards) -> list[str]:
        """Return the files of what a table's paper prints."""
        study = self._grid.config["tables"][wildcards.table]["study"]
        return sorted(map(str, self._published.glob(f"{study}*.csv")))

    def gain(self, wildcards: Wildcards) -> dict[str, Any]:
        """Return which scores to compare with the random encoder's."""
        return comparisons.gains_spec(self._grid, wildcards.study, self._tree)

    def gain_inputs(self, wildcards: Wildcards) -> list[str]:
        """Return every metric file the comparison reads."""
        return comparisons.gains_inputs(self._grid, wildcards.study, self._tree)

    def contrast(self, wildcards: Wildcards) -> dict[str, Any]:
        """Return which scores a table of contrasts compares."""
        return comparisons.contrasts_spec(self._grid, wildcards.contrast, self._tree)

    def contrast_inputs(self, wildcards: Wildcards) -> list[str]:
        """Return every metric file that a table of contrasts reads."""
        return comparisons.contrasts_inputs(self._grid, wildcards.contrast, self._tree)

    def rounds(self, wildcards: Wildcards) -> dict[str, Any]:
        """Return the curves of a study's figure of scores per round."""
        return plan_rounds.rounds_spec(self._grid, wildcards.study, self._tree)

    def rounds_inputs(self, wildcards: Wildcards) -> list[str]:
        """Return the scores of the rounds of a study's cells."""
        return plan_rounds.rounds_inputs(self._grid, wildcards.study, self._tree)

    def loss(self, wildcards: Wildcards) -> dict[str, Any]:
        """Return the curves of a study's loss figure."""
        return specs.loss_figure_spec(self._grid, wildcards.study, self._tree)

    def loss_inputs(self, wildcards: Wildcards) -> list[str]:
        """Return the history of each cell of a study."""
        return specs.loss_figure_inputs(self._grid, wildcards.study, self._tree)

    def datasets(self, wildcards: Wildcards) -> dict[str, Any]:
        """Return what the paper says of every dataset, and where its bank would be."""
        return specs.datasets_spec(self._grid, self._tree)

    def dataset_inputs(self, wildcards: Wildcards) -> list[str]:
        """Return the banks that the studies use, and further ones that are there."""
        used = self._grid.used_datasets()
        banks = {name: self._tree.bank(name) for name in self._grid.config["datasets"]}
        return [bank for name, bank in banks.items() if name in used or Path(bank).is_file()]
