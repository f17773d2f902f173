"""The configuration as Snakemake would merge it, and the grid and results it declares."""

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
    with_places,
)
from fedssl.grid.paths import ResultPaths
from fedssl.schema.validate import validate

CHECKOUT = Path(__file__).resolve().parents[3]


@dataclass(frozen=True)
class Project:
    """The merged configuration, and what it declares."""

    config: dict[str, Any]
    grid: Grid
    tree: ResultPaths


def project_folder() -> Path:
    """Return the working directory if it holds this project, else the checkout."""
    files = ("Snakefile", *(f"config/{name}" for name in SHIPPED))
    return Path.cwd() if all(Path(file).is_file() for file in files) else CHECKOUT


def open_project(configfiles: Sequence[str | Path], settings: Sequence[str] = ()) -> Project:
    """Return the project that is here, else the checkout's, with `configfiles` on top.

    `settings` are `key=value` as Snakemake's `--config` takes them, and win over all files.

    Raises:
        UserError: A file is missing, a setting is no `key=value`, or the configuration is
            wrong.
    """
    if missing := [str(file) for file in configfiles if not Path(file).is_file()]:
        raise UserError(f"there is no configuration file {missing[0]}.")
    folder = project_folder() / "config"
    files = [*(folder / name for name in SHIPPED), *configfiles]
    layers = read_layers(files, command_line(settings))
    config = merged(layers)
    validate(config, layers)
    config = with_own_datasets(with_places(config, layers), layers)
    return Project(config, Grid(config, layers), ResultPaths(config["results_dir"]))
