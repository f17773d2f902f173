"""Inputs and parameters of the rules that score checkpoints."""

from pathlib import Path
from typing import Any

from fedssl import backbones
from fedssl.federation.plan import cell_of
from fedssl.grid.cell import Cell
from fedssl.grid.cells import Grid
from fedssl.grid.configuration import sort_keys
from fedssl.grid.paths import FEATURE_PROTOCOLS, ResultPaths
from fedssl.record.sources import source_digests

Wildcards = Any


def initial_cell(grid: Grid, wildcards: Wildcards) -> Cell:
    """Return a cell that starts from the random encoder that the wildcards name."""
    cells = grid.select(study=wildcards.study, arch=wildcards.arch)
    return next(cell for cell in cells if grid.initial_variant(cell) == wildcards.variant)


class EvaluateRules:
    """Scores of cells and of the random encoders they start from."""

    def __init__(self, grid: Grid, tree: ResultPaths, scripts: Path) -> None:
        """Keep where things are."""
        self._grid = grid
        self._tree = tree
        self._scripts = scripts
        self.threads: int = grid.config["evaluation"]["threads"]
        self.protocols = list(FEATURE_PROTOCOLS)

    def settings(self, wildcards: Wildcards) -> dict[str, Any]:
        """Return what a cell's score depends on besides the checkpoint and the bank."""
        return self._of_features(
            wildcards, self._grid.settings(cell_of(wildcards)), *self.protocols
        )

    def round_settings(self, wildcards: Wildcards) -> dict[str, Any]:
        """Return what the scores of a cell's rounds depend on besides the models and the bank."""
        return self._of_features(wildcards, self._grid.settings(cell_of(wildcards)), "retrieval")

    def fine_tune_settings(self, wildcards: Wildcards) -> dict[str, Any]:
        """Return what a cell's fine-tuned score depends on."""
        cell = self._grid.settings(cell_of(wildcards))
        settings = self._settings(wildcards, cell, "fine-tune")
        return dict(sort_keys({**settings, "precision": cell["precision"]}))

    def random_init_settings(self, wildcards: Wildcards) -> dict[str, Any]:
        """Return the same for the encoder that the cells of a variant start from."""
        cell = initial_cell(self._grid, wildcards)
        return self._of_features(wildcards, self._grid.settings(cell), *self.protocols)

    def sources(self, wildcards: Wildcards) -> dict[str, str]:
        """Return the code behind a score: features, protocols and the encoder."""
        encoder = backbones.module_name(wildcards.arch)
        return source_digests(self._scripts / "evaluate.py", encoder)

    def round_sources(self, wildcards: Wildcards) -> dict[str, str]:
        """Return the code behind the scores of a cell's rounds."""
        encoder = backbones.module_name(wildcards.arch)
        return source_digests(self._scripts / "score_rounds.py", encoder)

    def fine_tune_sources(self, wildcards: Wildcards) -> dict[str, str]:
        """Return the code behind a fine-tuned score."""
        encoder = backbones.module_name(wildcards.arch)
        return source_digests(self._scripts / "fine_tune.py", encoder)

    def inputs(self, wildcards: Wildcards) -> dict[str, str]:
        """Return the task's bank and, for sound, the statistics of the pretraining set."""
        task = self._grid.task(wildcards.study, wildcards.task)
        inputs = {"bank": self._tree.bank(task.dataset)}
        if task.modality == "audio":
            dataset = self._grid.config["studies"][wildcards.study]["datasets"]["audio"]
            inputs["normalisation"] = self._tree.normalisation(wildcards.study, dataset)
        return inputs

    def _of_features(
        self, wildcards: Wildcards, cell: dict[str, Any], *protocols: str
    ) -> dict[str, Any]:
        recalibrate = self._grid.config["evaluation"]["recalibrate_batch_norm"]
        settings = self._settings(wildcards, cell, *protocols)
        return dict(sort_keys({**settings, "recalibrate_batch_norm": recalibrate}))

    def _settings(
        self, wildcards: Wildcards, cell: dict[str, Any], *protocols: str
    ) -> dict[str, Any]:
        evaluation = self._grid.config["evaluation"]
        settings = {
            **{key: cell[key] for key in ("audio", "encoder", "image")},
            **{protocol: evaluation[protocol] for protocol in protocols},
            "seed": int(wildcards.seed),
            "split": self._grid.task(wildcards.study, wildcards.task).split,
            "threads": self.threads,
        }
        return dict(sort_keys(settings))
