"""Plan the rules that score checkpoints: their inputs, settings and source digests."""

from typing import Any

from fedssl import backbones
from fedssl.grid.cell import Cell
from fedssl.grid.cells import Grid
from fedssl.grid.configuration import sort_keys
from fedssl.grid.paths import FEATURE_PROTOCOLS
from fedssl.grid.plan import Plan, Wildcards
from fedssl.record.sources import source_digests


def initial_cell(grid: Grid, wildcards: Wildcards) -> Cell:
    """Return a cell whose pretraining starts from the random encoder in the wildcards."""
    cells = grid.select(study=wildcards.study, arch=wildcards.arch)
    return next(cell for cell in cells if grid.initial_variant(cell) == wildcards.variant)


def score_inputs(plan: Plan, wildcards: Wildcards) -> dict[str, str]:
    """Return the task's bank and, for audio, the spectrogram statistics."""
    task = plan.grid.task(wildcards.study, wildcards.task)
    inputs = {"bank": plan.paths.bank(task.dataset)}
    if task.modality == "audio":
        inputs["normalisation"] = normalisation(plan, wildcards.study)
    return inputs


def normalisation(plan: Plan, study: str) -> str:
    """Return the file of the spectrogram statistics of a study's pretraining audio."""
    # Tasks are normalised like the pretraining set, because the encoder has seen only that scale.
    return plan.paths.normalisation(study, plan.config["studies"][study]["datasets"]["audio"])


def score_settings(plan: Plan, wildcards: Wildcards) -> dict[str, Any]:
    """Return the settings of the rule that scores the checkpoint of a cell."""
    return _of_features(plan, wildcards, Cell.of(wildcards), *FEATURE_PROTOCOLS)


def random_init_settings(plan: Plan, wildcards: Wildcards) -> dict[str, Any]:
    """Return the settings of the rule that scores a random encoder."""
    cell = initial_cell(plan.grid, wildcards)
    return _of_features(plan, wildcards, cell, *FEATURE_PROTOCOLS)


def recalibrated_settings(plan: Plan, wildcards: Wildcards) -> dict[str, Any]:
    """Return the settings of the rule that scores a checkpoint after recalibrating batch norm."""
    return _of_task(plan, wildcards, Cell.of(wildcards), "knn")


def round_settings(plan: Plan, wildcards: Wildcards) -> dict[str, Any]:
    """Return the settings of the rule that scores the kept rounds of a cell."""
    return _of_features(plan, wildcards, Cell.of(wildcards), "retrieval")


def fine_tune_settings(plan: Plan, wildcards: Wildcards) -> dict[str, Any]:
    """Return the settings of the rule that fine-tunes the checkpoint of a cell."""
    return _of_fine_tuning(plan, wildcards, Cell.of(wildcards))


def fine_tune_random_settings(plan: Plan, wildcards: Wildcards) -> dict[str, Any]:
    """Return the settings of the rule that trains a random encoder with labels."""
    return _of_fine_tuning(plan, wildcards, initial_cell(plan.grid, wildcards))


def encoder_sources(plan: Plan, wildcards: Wildcards, *, script: str) -> dict[str, str]:
    """Return the source digests of a rule that runs an encoder."""
    return source_digests(plan.scripts / script, backbones.module_name(wildcards.arch))


def _of_features(plan: Plan, wildcards: Wildcards, cell: Cell, *protocols: str) -> dict[str, Any]:
    recalibrate = plan.config["evaluation"]["recalibrate_batch_norm"]
    return _of_task(plan, wildcards, cell, *protocols, recalibrate_batch_norm=recalibrate)


def _of_fine_tuning(plan: Plan, wildcards: Wildcards, cell: Cell) -> dict[str, Any]:
    precision = plan.grid.settings(cell)["precision"]
    return _of_task(plan, wildcards, cell, "fine-tune", precision=precision)


def _of_task(
    plan: Plan, wildcards: Wildcards, cell: Cell, *protocols: str, **further: Any
) -> dict[str, Any]:
    further["split"] = plan.grid.task(wildcards.study, wildcards.task).split
    return job_settings(plan, cell, *protocols, seed=int(wildcards.seed), **further)


def job_settings(plan: Plan, cell: Cell, *protocols: str, **further: Any) -> dict[str, Any]:
    """Return the settings of an evaluation job, with sorted keys."""
    # Only these settings of a cell. How it was pretrained shows in its checkpoint, and a new value
    # must rerun the scores only if the checkpoint changes.
    own, evaluation = plan.grid.settings(cell), plan.config["evaluation"]
    settings = {
        **{key: own[key] for key in ("audio", "encoder", "image", "portable")},
        **{protocol: evaluation[protocol] for protocol in protocols},
        **further,
        "threads": evaluation["threads"],
    }
    return dict(sort_keys(settings))
