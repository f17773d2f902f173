"""Plan the rules that score checkpoints on pairs: their inputs and settings."""

from collections.abc import Sequence
from typing import Any

from fedssl.evaluation.plan import initial_cell, job_settings, normalisation
from fedssl.grid.cell import Cell
from fedssl.grid.paired_protocols import SPECIALISTS
from fedssl.grid.plan import Plan, Wildcards
from fedssl.grid.splits import MODALITIES, parse_split


def pair_inputs(plan: Plan, wildcards: Wildcards) -> dict[str, str]:
    """Return the checkpoints, both banks and, for audio, the spectrogram statistics."""
    cell = Cell.of(wildcards)
    names = ("image_model", "audio_model") if cell.split == SPECIALISTS else ("model",)
    parts = zip(names, cell.checkpoints, strict=True)
    models = {name: plan.paths.model(checkpoint) for name, checkpoint in parts}
    return {**models, **_data(plan, wildcards, _modalities(plan, cell))}


def random_init_pair_inputs(plan: Plan, wildcards: Wildcards) -> dict[str, str]:
    """Return the inputs of the rule that scores a random encoder, which has no checkpoint."""
    return _data(plan, wildcards, MODALITIES)


def pair_settings(plan: Plan, wildcards: Wildcards) -> dict[str, Any]:
    """Return the settings of the rule that scores checkpoints on pairs."""
    # Two specialists have the same settings, so those of the first stand for both.
    cell = Cell.of(wildcards)
    return _settings(plan, wildcards, cell.checkpoints[0], _modalities(plan, cell))


def random_init_pair_settings(plan: Plan, wildcards: Wildcards) -> dict[str, Any]:
    """Return the settings of the rule that scores a random encoder on pairs."""
    return _settings(plan, wildcards, initial_cell(plan.grid, wildcards), MODALITIES)


def fine_tune_pair_settings(plan: Plan, wildcards: Wildcards) -> dict[str, Any]:
    """Return the settings of the rule that fine-tunes a checkpoint on pairs."""
    cell = Cell.of(wildcards)
    return _of_fine_tuning(plan, wildcards, cell, _modalities(plan, cell))


def fine_tune_random_pair_settings(plan: Plan, wildcards: Wildcards) -> dict[str, Any]:
    """Return the settings of the rule that trains a random encoder on pairs with labels."""
    return _of_fine_tuning(plan, wildcards, initial_cell(plan.grid, wildcards), MODALITIES)


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
    recalibrate = plan.config["evaluation"]["recalibrate_batch_norm"]
    return _of_pairs(
        *(plan, wildcards, cell, modalities),
        *("knn", "linear-probe"),
        recalibrate_batch_norm=recalibrate,
    )


def _of_fine_tuning(
    plan: Plan, wildcards: Wildcards, cell: Cell, modalities: Sequence[str]
) -> dict[str, Any]:
    precision = plan.grid.settings(cell)["precision"]
    return _of_pairs(plan, wildcards, cell, modalities, "fine-tune", precision=precision)


def _of_pairs(
    plan: Plan,
    wildcards: Wildcards,
    cell: Cell,
    modalities: Sequence[str],
    *protocols: str,
    **further: Any,
) -> dict[str, Any]:
    pair = plan.grid.pair(wildcards.study, wildcards.task)
    further |= {"by": pair.by, "modalities": list(modalities), "split": pair.split}
    return job_settings(plan, cell, *protocols, seed=int(wildcards.seed), **further)


def _modalities(plan: Plan, cell: Cell) -> list[str]:
    """Return the modalities of a pair that a cell's checkpoints are shown, image first."""
    if plan.config["evaluation"]["specialists_see"] == "both":
        return list(MODALITIES)
    known = {name for part in cell.checkpoints for name in parse_split(part.split).modalities}
    return [name for name in MODALITIES if name in known]
