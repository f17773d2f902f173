"""What the planning functions of all stages read: the grid and where files are."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fedssl.grid.cells import Grid
from fedssl.grid.configuration import Layer
from fedssl.grid.paths import ResultPaths

# Snakemake's wildcards of a job; their attributes are the wildcards' names.
Wildcards = Any


@dataclass(frozen=True)
class Plan:
    """A run as it is planned.

    `layers` are the sources of the configuration, of which the first `shipped` come with the
    workflow. `checkout` is the folder of the workflow's own files.
    """

    grid: Grid
    paths: ResultPaths
    layers: Sequence[Layer]
    shipped: int
    checkout: Path

    @property
    def scripts(self) -> Path:
        """The folder of the rules' scripts."""
        return self.checkout / "workflow" / "scripts"

    @property
    def studies(self) -> list[str]:
        """The studies that have cells."""
        return [study for study in self.grid.config["studies"] if self.grid.select(study=study)]
