"""What planning functions need: they turn a job's wildcards into its inputs and parameters.

Each module called `plan` holds such functions, with a `Plan` and the wildcards as arguments. Rule
files bind the plan once and hand the functions to Snakemake.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fedssl.grid.cells import Grid
from fedssl.grid.configuration import Layer
from fedssl.grid.paths import ResultPaths

# Snakemake's wildcards: one attribute per name. Its class has no types.
Wildcards = Any


@dataclass(frozen=True)
class Plan:
    """A run as it is planned: the declared grid, and where files are.

    `checkout` is the folder of the workflow's own files. `layers` are the sources of the
    configuration; the first `shipped` of them come with the workflow.
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
        return [study for study in self.config["studies"] if self.grid.select(study=study)]
