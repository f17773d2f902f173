"""The argument of planning functions, which turn a job's wildcards into inputs and parameters.

Every module called `plan` has such functions, with a `Plan` and the wildcards as arguments. Rule
files bind the plan once and pass the functions to Snakemake.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fedssl.grid.cell import Cell
from fedssl.grid.cells import Grid
from fedssl.grid.configuration import Layer
from fedssl.grid.own_studies import is_own
from fedssl.grid.paths import ResultPaths

# Snakemake's class of wildcards has one attribute per name and no types.
Wildcards = Any


@dataclass(frozen=True)
class Plan:
    """A planned run: the grid, the paths of results, and the workflow's own files.

    Attributes:
        grid: all declared cells.
        paths: paths below the results folder.
        checkout: folder of the workflow's own files.
        layers: layers of the configuration.
        shipped: number of layers, from the first one on, that come with the workflow.
        asked: own studies to which the run is restricted; empty for all studies.
    """

    grid: Grid
    paths: ResultPaths
    checkout: Path
    layers: Sequence[Layer] = ()
    shipped: int = 0
    asked: Sequence[str] = ()

    @property
    def config(self) -> Mapping[str, Any]:
        """The merged configuration."""
        return self.grid.config

    @property
    def scripts(self) -> Path:
        """The folder of the rules' scripts."""
        return self.checkout / "workflow" / "scripts"

    @property
    def studies(self) -> list[str]:
        """The studies of the run that have cells."""
        with_cells = {cell.study for cell in self.grid.cells}
        wanted = self.asked or self.config["studies"]
        return [name for name in self.config["studies"] if name in with_cells and name in wanted]

    @property
    def papers(self) -> list[str]:
        """The declared studies that reproduce a paper; none if a user's own study has cells."""
        return [study for study in self.config["studies"] if not is_own(study)]

    @property
    def cells(self) -> list[Cell]:
        """The cells of the run's studies."""
        studies = self.studies
        return [cell for cell in self.grid.cells if cell.study in studies]

    @property
    def used_datasets(self) -> set[str]:
        """The datasets that the run's cells are pretrained or scored on."""
        found = {name for cell in self.cells for name in self.grid.datasets(cell).values()}
        for study in self.studies:
            found.update(task.dataset for task in self.grid.tasks(study))
            found.update(n for pair in self.grid.pairs(study) for n in (pair.image, pair.audio))
        return found
