"""Inputs and parameters of the rules that score checkpoints."""

from typing import Any

from fedssl import backbones
from fedssl.grid.cell import Cell
from fedssl.grid.cells import Grid
from fedssl.grid.configuration import sort_keys
from fedssl.grid.paths import FEATURE_PROTOCOLS
from fedssl.grid.plan import Plan, Wildcards
from fedssl.record.sources import source_digests


def initial_cell(grid: Grid, wildcards: Wildcards) -> Cell:
    """Return a cell that starts from the random encoder that the wildcards name."""
    cells = grid.select(study=wildcards.study, arch=wildcards.arch)
    return next(cell for cell in cells if grid.initial_variant(cell) == wildcards.variant)


def score_inputs(plan: Plan, wildcards: Wildcards) -> dict[str, str]:
    """Return the task's bank and, for sound, the statistics of the pretraining set."""
    task = plan.grid.task(wildcards.study, wildcards.task)
    inputs = {"bank": plan.paths.bank(task.dataset)}
    if task.modality == "audio":
        inputs["normalisation"] = normalisation(plan, wildcards.study)
    return inputs


def normalisation(plan: Plan, study: str) -> str:
    """Return the spectrogram statistics of the audio that a study is pretrained on."""
    return plan.paths.normalisation(study, plan.config["studies"][study]["datasets"]["audio"])


def score_settings(plan: Plan, wildcards: Wildcards) -> dict[str, Any]:
    """Return what a cell's scores depend on besides the checkpoint and the bank."""
    return _of_features(plan, wildcards, Cell.of(wildcards), *FEATURE_PROTOCOLS)


def random_init_settings(plan: Plan, wildcards: Wildcards) -> dict[str, Any]:
    """Return the same for the encoder that the cells of a variant start from."""
    cell = initial_cell(plan.grid, wildcards)
    return _of_features(plan, wildcards, cell, *FEATURE_PROTOCOLS)


def round_settings(plan: Plan, wildcards: Wildcards) -> dict[str, Any]:
    """Return what the scores of a cell's rounds depend on besides the models and the bank."""
    return _of_features(plan, wildcards, Cell.of(wildcards), "retrieval")


def fine_tune_settings(plan: Plan, wildcards: Wildcards) -> dict[str, Any]:
    """Return what a cell's fine-tuned score depends on."""
    cell = Cell.of(wildcards)
    precision = plan.grid.settings(cell)["precision"]
    settings = _settings(plan, wildcards, cell, "fine-tune") | {"precision": precision}
    return dict(sort_keys(settings))


def encoder_sources(plan: Plan, wildcards: Wildcards, *, script: str) -> dict[str, str]:
    """Return the code behind a job that runs an encoder: its script, and the encoder."""
    return source_digests(plan.scripts / script, backbones.module_name(wildcards.arch))


def _of_features(plan: Plan, wildcards: Wildcards, cell: Cell, *protocols: str) -> dict[str, Any]:
    recalibrate = plan.config["evaluation"]["recalibrate_batch_norm"]
    settings = _settings(plan, wildcards, cell, *protocols)
    return dict(sort_keys({**settings, "recalibrate_batch_norm": recalibrate}))


def _settings(plan: Plan, wildcards: Wildcards, cell: Cell, *protocols: str) -> dict[str, Any]:
    own, evaluation = plan.grid.settings(cell), plan.config["evaluation"]
    settings = {
        **{key: own[key] for key in ("audio", "encoder", "image")},
        **{protocol: evaluation[protocol] for protocol in protocols},
        "seed": int(wildcards.seed),
        "split": plan.grid.task(wildcards.study, wildcards.task).split,
        "threads": evaluation["threads"],
    }
    return dict(sort_keys(settings))
