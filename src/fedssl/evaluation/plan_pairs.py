"""Inputs and parameters of the rules that score checkpoints on pairs of an image and a sound."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from fedssl import backbones
from fedssl.evaluation.plan import initial_cell
from fedssl.federation.plan import cell_of
from fedssl.grid.cell import Cell
from fedssl.grid.cells import Grid
from fedssl.grid.configuration import sort_keys
from fedssl.grid.paired_protocols import PAIRED_PROTOCOLS, SPECIALISTS, paired_protocols
from fedssl.grid.paths import ResultPaths
from fedssl.grid.splits import MODALITIES, parse_split
from fedssl.record.sources import source_digests

Wildcards = Any


class PairedRules:
    """Scores on pairs: of cells, of two specialists together, and of random encoders.

    The outputs of a rule are fixed, and a specialist has fewer scores than an encoder of both
    modalities. So each kind of split has a rule of its own, with `splits` and `protocols`.
    """

    def __init__(self, grid: Grid, tree: ResultPaths, scripts: Path) -> None:
        """Name every pair, and what each kind of split is scored by."""
        self._grid = grid
        self._tree = tree
        self._scripts = scripts
        self.names = sorted({p.pair for study in grid.config["studies"] for p in grid.pairs(study)})
        self.threads: int = grid.config["evaluation"]["threads"]
        self.protocols = {
            "both": PAIRED_PROTOCOLS,
            "image": paired_protocols("a0-i100-b0"),
            "audio": paired_protocols("a100-i0-b0"),
            "specialists": paired_protocols(SPECIALISTS),
        }

    def splits(self, kind: str) -> list[str]:
        """Return the splits of a kind: encoders of an image, audio or both, or two specialists."""
        if kind == "specialists":
            return [SPECIALISTS]
        known = MODALITIES if kind == "both" else (kind,)
        return [s for s in self._grid.values("split") if parse_split(s).modalities == known]

    def inputs(self, wildcards: Wildcards) -> dict[str, str]:
        """Return checkpoint or checkpoints, both banks and, for sound, the statistics."""
        cell = cell_of(wildcards)
        names = ("image_model", "audio_model") if cell.split == SPECIALISTS else ("model",)
        parts = zip(names, cell.checkpoints, strict=True)
        models = {name: self._tree.model(checkpoint) for name, checkpoint in parts}
        return {**models, **self._data(wildcards, self._modalities(cell))}

    def random_init_inputs(self, wildcards: Wildcards) -> dict[str, str]:
        """Return the same for a random encoder, which has no checkpoint."""
        return self._data(wildcards, MODALITIES)

    def settings(self, wildcards: Wildcards) -> dict[str, Any]:
        """Return what a score depends on besides checkpoints and banks."""
        cell = cell_of(wildcards)
        return self._settings(wildcards, cell.checkpoints[0], self._modalities(cell))

    def random_init_settings(self, wildcards: Wildcards) -> dict[str, Any]:
        """Return the same for the encoder that the cells of a variant start from."""
        return self._settings(wildcards, initial_cell(self._grid, wildcards), MODALITIES)

    def sources(self, wildcards: Wildcards) -> dict[str, str]:
        """Return the code behind a score: pairing, features, protocols and the encoder."""
        encoder = backbones.module_name(wildcards.arch)
        return source_digests(self._scripts / "paired.py", encoder)

    def _data(self, wildcards: Wildcards, modalities: Sequence[str]) -> dict[str, str]:
        pair = self._grid.pair(wildcards.study, wildcards.task)
        inputs = {"image_bank": pair.image, "audio_bank": pair.audio}
        inputs = {name: self._tree.bank(dataset) for name, dataset in inputs.items()}
        if "audio" in modalities:
            dataset = self._grid.config["studies"][wildcards.study]["datasets"]["audio"]
            inputs["normalisation"] = self._tree.normalisation(wildcards.study, dataset)
        return inputs

    def _settings(
        self, wildcards: Wildcards, cell: Cell, modalities: Sequence[str]
    ) -> dict[str, Any]:
        pair = self._grid.pair(wildcards.study, wildcards.task)
        own, evaluation = self._grid.settings(cell), self._grid.config["evaluation"]
        settings = {
            **{key: own[key] for key in ("audio", "encoder", "image")},
            **{key: evaluation[key] for key in ("knn", "linear-probe")},
            "by": pair.by,
            "modalities": list(modalities),
            "recalibrate_batch_norm": evaluation["recalibrate_batch_norm"],
            "seed": int(wildcards.seed),
            "split": pair.split,
            "threads": self.threads,
        }
        return dict(sort_keys(settings))

    def _modalities(self, cell: Cell) -> list[str]:
        """Return what a cell's checkpoints are shown, image first: what they were trained on."""
        if self._grid.config["evaluation"]["specialists_see"] == "both":
            return list(MODALITIES)
        known = {name for part in cell.checkpoints for name in parse_split(part.split).modalities}
        return [name for name in MODALITIES if name in known]
