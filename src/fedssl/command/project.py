"""The configuration as Snakemake would merge it, and the grid and results it declares."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fedssl.configuration import merged, read_layers, validate, with_places
from fedssl.data.own.entries import with_own_datasets
from fedssl.errors import UserError
from fedssl.experiments import Grid
from fedssl.paths import Tree

CHECKOUT = Path(__file__).resolve().parents[3]
_SHIPPED = ("config.yaml", "experiments.yaml", "datasets.yaml")


@dataclass(frozen=True)
class Project:
    """The merged configuration, and what it declares."""

    config: dict[str, Any]
    grid: Grid
    tree: Tree


def project_folder() -> Path:
    """Return the working directory if it holds this project, else the checkout."""
    files = ("Snakefile", *(f"config/{name}" for name in _SHIPPED))
    return Path.cwd() if all(Path(file).is_file() for file in files) else CHECKOUT


def open_project(configfiles: Sequence[str | Path]) -> Project:
    """Return the project that is here, else the checkout's, with `configfiles` on top.

    Raises:
        UserError: A file is missing, or the configuration breaks its schema.
    """
    if missing := [str(file) for file in configfiles if not Path(file).is_file()]:
        raise UserError(f"there is no configuration file {missing[0]}.")
    folder = project_folder() / "config"
    layers = read_layers([*(folder / name for name in _SHIPPED), *configfiles], {})
    config = merged(layers)
    validate(config, layers, schemas=folder / "schemas")
    config = with_own_datasets(with_places(config, layers), layers)
    return Project(config, Grid(config, layers), Tree(config["results_dir"]))
