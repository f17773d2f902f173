"""Open the project: its configuration as Snakemake merges it, its grid and its result paths."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fedssl.data.own.dataset_entry import with_own_datasets
from fedssl.errors import UserError
from fedssl.grid.cells import Grid
from fedssl.grid.configuration import (
    SHIPPED,
    command_line,
    merged,
    read_layers,
)
from fedssl.grid.paths import ResultPaths
from fedssl.grid.places import with_places
from fedssl.grid.plan import Plan
from fedssl.record.read import CHECKOUT
from fedssl.schema.validate import validate


@dataclass(frozen=True)
class Project:
    """The merged configuration, its grid and its result paths."""

    config: dict[str, Any]
    grid: Grid
    tree: ResultPaths

    @property
    def plan(self) -> Plan:
        """The planned run."""
        return Plan(self.grid, self.tree, project_folder())


def project_folder() -> Path:
    """Return the working directory if it has a copy of this project, else the checkout."""
    files = ("Snakefile", *(f"config/{name}" for name in SHIPPED))
    return Path.cwd() if all(Path(file).is_file() for file in files) else CHECKOUT


def open_project(configfiles: Sequence[str | Path], settings: Sequence[str] = ()) -> Project:
    """Return the project in `project_folder`, with `configfiles` over the shipped files.

    `settings` are `key=value` arguments of `--config`, which override all files.

    Raises:
        UserError: A file is missing, a setting is not `key=value`, or the configuration is not
            valid.
    """
    if missing := [Path(file) for file in configfiles if not Path(file).is_file()]:
        kind = "is not a file" if missing[0].exists() else "does not exist"
        raise UserError(f"--configfile is {missing[0]}, which {kind}.")
    folder = project_folder() / "config"
    files = [*(folder / name for name in SHIPPED), *configfiles]
    layers = read_layers(files, command_line(settings))
    config = merged(layers)
    validate(config, layers)
    config = with_own_datasets(with_places(config, layers), layers)
    return Project(config, Grid(config, layers), ResultPaths(config["results_dir"]))
