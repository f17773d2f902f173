"""The argument of planning functions, which turn a job's wildcards into inputs and parameters.

Every module called `plan` has such functions, with a `Plan` and the wildcards as arguments. Rule
files bind the plan once and pass the functions to Snakemake.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fedssl.grid.cells import Grid
from fedssl.grid.configuration import Layer
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
    """

    grid: Grid
    paths: ResultPaths
    checkout: Path
    layers: Sequence[Layer] = ()
    shipped: int = 0

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
        """The studies that have cells."""
        with_cells = {cell.study for cell in self.grid.cells}
        return [study for study in self.config["studies"] if study in with_cells]
