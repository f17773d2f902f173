"""Inputs and parameters of the rules that deal shards and pretrain cells."""

from pathlib import Path
from typing import Any

from fedssl import aggregators, backbones, methods
from fedssl.files import digest
from fedssl.grid.cell import ALL_AXES, CENTRALISED, Cell
from fedssl.grid.cells import Grid
from fedssl.grid.paths import ResultPaths
from fedssl.record.sources import source_digests

Wildcards = Any


def cell_of(wildcards: Wildcards) -> Cell:
    """Return the cell that a job's wildcards name."""
    return Cell.of({axis: getattr(wildcards, axis) for axis in ALL_AXES})


class PretrainRules:
    """Shards and cells, as the grid declares them."""

    def __init__(self, grid: Grid, tree: ResultPaths, scripts: Path) -> None:
        """Keep where things are."""
        self._grid = grid
        self._tree = tree
        self._scripts = scripts
        self.federated = [name for name in grid.values("aggregator") if name != CENTRALISED]

    def sharding(self, wildcards: Wildcards) -> dict[str, Any]:
        """Return the settings behind the sharding wildcard."""
        return self._grid.shardings()[wildcards.sharding]

    def recorded_sharding(self, wildcards: Wildcards) -> dict[str, Any]:
        """Return what the record of shards says of settings."""
        return {**self.sharding(wildcards), "seed": int(wildcards.seed)}

    def settings(self, wildcards: Wildcards) -> dict[str, Any]:
        """Return all a cell's result depends on, as one dict: Snakemake compares its text."""
        return self._grid.settings(cell_of(wildcards))

    def bank(self, wildcards: Wildcards) -> str:
        """Return the bank that the dataset wildcard names."""
        return self._tree.bank(wildcards.dataset)

    def sources(self, wildcards: Wildcards) -> dict[str, str]:
        """Return the code behind a cell: the round loop, its method, encoder and aggregator."""
        return source_digests(
            self._scripts / "pretrain.py",
            methods.module_name(wildcards.method),
            backbones.module_name(wildcards.arch),
            aggregators.module_name(wildcards.aggregator),
        )

    def centralised_sources(self, wildcards: Wildcards) -> dict[str, str]:
        """Return the code behind a cell without clients: the training, its method and encoder."""
        return source_digests(
            self._scripts / "pretrain_centralised.py",
            methods.module_name(wildcards.method),
            backbones.module_name(wildcards.arch),
        )

    def state(self, wildcards: Wildcards) -> str:
        """Return where an interrupted job keeps its rounds: one folder for settings and code."""
        federated = wildcards.aggregator != CENTRALISED
        sources = self.sources if federated else self.centralised_sources
        key = digest([self.settings(wildcards), sources(wildcards)])
        return self._tree.state(key[:16])

    def inputs(self, wildcards: Wildcards) -> dict[str, str]:
        """Return banks and shards of the modalities in use, and the spectrogram statistics.

        Without clients there are no shards.
        """
        cell = cell_of(wildcards)
        inputs = {}
        for modality, dataset in self._grid.datasets(cell).items():
            inputs[f"{modality}_bank"] = self._tree.bank(dataset)
            if cell.federated:
                shards = self._tree.shards(dataset, self._grid.sharding(cell), cell.seed)
                inputs[f"{modality}_shards"] = shards
            if modality == "audio":
                inputs["normalisation"] = self._tree.normalisation(cell.study, dataset)
        return inputs

    def threads(self, wildcards: Wildcards) -> int:
        """Return the threads of a cell, which are one of its settings."""
        threads: int = self.settings(wildcards)["threads"]
        return threads
