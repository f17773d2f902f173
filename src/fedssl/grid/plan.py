"""What planning functions need: they turn a job's wildcards into its inputs and parameters.

Each `plan.py` of the package holds such functions, with a `Plan` and the wildcards as arguments;
rule files bind the plan once and hand them to Snakemake.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fedssl.grid.cells import Grid
from fedssl.grid.paths import ResultPaths

# Snakemake's wildcards: one attribute per name. Its class has no types.
Wildcards = Any


@dataclass(frozen=True)
class Plan:
    """The declared grid, where its results lie, and the folder of the rules' scripts."""

    grid: Grid
    paths: ResultPaths
    scripts: Path

    @property
    def config(self) -> Mapping[str, Any]:
        """The merged configuration."""
        return self.grid.config
