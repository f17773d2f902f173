"""Inputs and parameters of the rules that score checkpoints."""

from pathlib import Path
from typing import Any

from fedssl import backbones
from fedssl.experiments import Grid
from fedssl.paths import Tree
from fedssl.rules.pretrain import cell_of
from fedssl.sources import source_digests

Wildcards = Any


class EvaluateRules:
    """Scores of cells and of the random encoders they start from."""

    def __init__(self, grid: Grid, tree: Tree, scripts: Path) -> None:
        """Keep where things are."""
        self._grid = grid
        self._tree = tree
        self._scripts = scripts
        self.threads: int = grid.config["evaluation"]["threads"]

    def settings(self, wildcards: Wildcards) -> dict[str, Any]:
        """Return what a cell's score depends on besides the checkpoint and the bank."""
        return self._settings(wildcards, self._grid.settings(cell_of(wildcards)))

    def random_init_settings(self, wildcards: Wildcards) -> dict[str, Any]:
        """Return the same for the encoder that the cells of a variant start from."""
        axes = {axis: getattr(wildcards, axis) for axis in ("study", "arch", "variant")}
        return self._settings(wildcards, self._grid.settings(self._grid.select(**axes)[0]))

    def sources(self, wildcards: Wildcards) -> dict[str, str]:
        """Return the code behind a score: features, protocols and the encoder."""
        encoder = backbones.module_name(wildcards.arch)
        return source_digests(self._scripts / "evaluate.py", encoder)

    def inputs(self, wildcards: Wildcards) -> dict[str, str]:
        """Return the task's bank and, for sound, the statistics of the pretraining set."""
        task = self._grid.task(wildcards.study, wildcards.task)
        inputs = {"bank": self._tree.bank(task.task)}
        if task.modality == "audio":
            dataset = self._grid.config["studies"][wildcards.study]["datasets"]["audio"]
            inputs["normalisation"] = self._tree.normalisation(wildcards.study, dataset)
        return inputs

    def _settings(self, wildcards: Wildcards, cell: dict[str, Any]) -> dict[str, Any]:
        knn = self._grid.config["evaluation"]["knn"]
        return {
            "audio": cell["audio"],
            "encoder": cell["encoder"],
            "image": cell["image"],
            "knn": dict(sorted(knn.items())),
            "seed": int(wildcards.seed),
            "split": self._grid.task(wildcards.study, wildcards.task).split,
            "threads": self.threads,
        }
