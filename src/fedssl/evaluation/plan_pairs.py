"""Inputs and parameters of the rules that score checkpoints on pairs of an image and a sound."""

from collections.abc import Sequence
from typing import Any

from fedssl.evaluation.plan import initial_cell, normalisation
from fedssl.grid.cell import Cell
from fedssl.grid.configuration import sort_keys
from fedssl.grid.paired_protocols import SPECIALISTS
from fedssl.grid.plan import Plan, Wildcards
from fedssl.grid.splits import MODALITIES, parse_split


def pair_inputs(plan: Plan, wildcards: Wildcards) -> dict[str, str]:
    """Return checkpoint or checkpoints, both banks and, for sound, the statistics."""
    cell = Cell.of(wildcards)
    names = ("image_model", "audio_model") if cell.split == SPECIALISTS else ("model",)
    parts = zip(names, cell.checkpoints, strict=True)
    models = {name: plan.paths.model(checkpoint) for name, checkpoint in parts}
    return {**models, **_data(plan, wildcards, _modalities(plan, cell))}


def random_init_pair_inputs(plan: Plan, wildcards: Wildcards) -> dict[str, str]:
    """Return the same for a random encoder, which has no checkpoint."""
    return _data(plan, wildcards, MODALITIES)


def pair_settings(plan: Plan, wildcards: Wildcards) -> dict[str, Any]:
    """Return what a score depends on besides checkpoints and banks."""
    cell = Cell.of(wildcards)
    return _settings(plan, wildcards, cell.checkpoints[0], _modalities(plan, cell))


def random_init_pair_settings(plan: Plan, wildcards: Wildcards) -> dict[str, Any]:
    """Return the same for the encoder that the cells of a variant start from."""
    return _settings(plan, wildcards, initial_cell(plan.grid, wildcards), MODALITIES)


def _data(plan: Plan, wildcards: Wildcards, modalities: Sequence[str]) -> dict[str, str]:
    pair = plan.grid.pair(wildcards.study, wildcards.task)
    datasets = {"image_bank": pair.image, "audio_bank": pair.audio}
    inputs = {name: plan.paths.bank(dataset) for name, dataset in datasets.items()}
    if "audio" in modalities:
        inputs["normalisation"] = normalisation(plan, wildcards.study)
    return inputs


def _settings(
    plan: Plan, wildcards: Wildcards, cell: Cell, modalities: Sequence[str]
) -> dict[str, Any]:
    pair = plan.grid.pair(wildcards.study, wildcards.task)
    own, evaluation = plan.grid.settings(cell), plan.config["evaluation"]
    settings = {
        **{key: own[key] for key in ("audio", "encoder", "image")},
        **{key: evaluation[key] for key in ("knn", "linear-probe")},
        "by": pair.by,
        "modalities": list(modalities),
        "recalibrate_batch_norm": evaluation["recalibrate_batch_norm"],
        "seed": int(wildcards.seed),
        "split": pair.split,
        "threads": evaluation["threads"],
    }
    return dict(sort_keys(settings))


def _modalities(plan: Plan, cell: Cell) -> list[str]:
    """Return what a cell's checkpoints are shown, image first: what they were trained on."""
    if plan.config["evaluation"]["specialists_see"] == "both":
        return list(MODALITIES)
    known = {name for part in cell.checkpoints for name in parse_split(part.split).modalities}
    return [name for name in MODALITIES if name in known]
