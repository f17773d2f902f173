"""Plan the rules that score checkpoints: their inputs, settings and source digests."""

import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from fedssl import backbones
from fedssl.files import digest
from fedssl.grid.cell import Cell
from fedssl.grid.cells import Grid
from fedssl.grid.paths import FEATURE_PROTOCOLS
from fedssl.grid.plan import Plan, Wildcards
from fedssl.grid.snakemake_api import ancient
from fedssl.record.sources import source_digests

_SCORE_ROUNDS = "score_rounds"


def initial_cell(grid: Grid, wildcards: Wildcards) -> Cell:
    """Return a cell whose pretraining starts from the random encoder in the wildcards."""
    study, arch, variant = wildcards.study, wildcards.arch, wildcards.variant
    cells = (cell for cell in grid.cells if cell.study == study and cell.arch == arch)
    return next(cell for cell in cells if grid.initial_variant(cell) == variant)


def score_inputs(plan: Plan, wildcards: Wildcards) -> dict[str, str]:
    """Return the task's bank and, for audio, the spectrogram statistics."""
    task = plan.grid.task(wildcards.study, wildcards.task)
    inputs = {"bank": plan.paths.bank(task.dataset)}
    if task.modality == "audio":
        inputs["normalisation"] = normalisation(plan, wildcards.study)
    return inputs


def round_inputs(plan: Plan, wildcards: Wildcards) -> dict[str, str]:
    """Return the inputs of the rule that scores kept rounds, apart from the models.

    These are the scores of the same models by `evaluate`, and the scores of the first task on the
    same dataset, whose job also scores this one.
    """
    # Ancient: whatever changes these scores also changes the settings, the code or the models of
    # the job itself. An edit that concerns only other protocols of `evaluate` must not rerun it.
    further = {name: ancient(path) for name, path in _earlier_scores(plan, wildcards)}
    return score_inputs(plan, wildcards) | further


def _earlier_scores(plan: Plan, wildcards: Wildcards) -> Iterator[tuple[str, str]]:
    cell, grid, paths = Cell.of(wildcards), plan.grid, plan.paths
    settings, task = grid.settings(cell), wildcards.task
    kept, rounds = (settings["federation"][name] for name in ("kept_rounds", "rounds"))
    start = replace(cell, variant=grid.initial_variant(cell))
    initial = grid.settings(initial_cell(grid, start))
    # A variant that changes one of these has no random encoder of its own.
    if 0 in kept and all(initial[key] == settings[key] for key in ("image", "portable")):
        yield from _retrieval("random_init", paths.random_init_metric(start, task, "retrieval"))
    if rounds in kept:
        yield from _retrieval("final", paths.metric(cell, task, "retrieval"))
    first = grid.first_task(wildcards.study, task)
    if first.task != task:
        yield "first_task", paths.round_scores(cell, first.task)


def _retrieval(name: str, metric: str) -> Iterator[tuple[str, str]]:
    """Yield the metric file of a score, and the hits of its samples."""
    yield name, metric
    yield f"{name}_samples", metric.removesuffix(".json") + ".parquet"


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


def round_state(plan: Plan, wildcards: Wildcards) -> str:
    """Return the folder of the scores of rounds, which depends on their settings and code.

    Cells and splits share it: they are told apart in the keys of the scores.
    """
    settings = {k: v for k, v in round_settings(plan, wildcards).items() if k != "split"}
    sources = encoder_sources(plan, wildcards, script="score_rounds.py")
    return plan.paths.state(_SCORE_ROUNDS, digest([settings, sources])[:16])


def remove_shared_scores(plan: Plan) -> None:
    """Remove the scores that jobs shared, but not those of a job that was interrupted."""
    for folder in Path(plan.paths.state(_SCORE_ROUNDS, "")).glob("*/"):
        if not any(folder.glob("*.claim")):
            shutil.rmtree(folder, ignore_errors=True)


def fine_tune_settings(plan: Plan, wildcards: Wildcards) -> dict[str, Any]:
    """Return the settings of the rule that fine-tunes the checkpoint of a cell."""
    return _of_fine_tuning(plan, wildcards, Cell.of(wildcards))


def fine_tune_random_settings(plan: Plan, wildcards: Wildcards) -> dict[str, Any]:
    """Return the settings of the rule that trains a random encoder with labels."""
    return _of_fine_tuning(plan, wildcards, initial_cell(plan.grid, wildcards))


def fine_tune_state(
    plan: Plan,
    wildcards: Wildcards,
    *,
    settings: Callable[[Plan, Wildcards], dict[str, Any]],
    script: str,
) -> str:
    """Return the folder of a job's checkpoints, which depends on its settings and its code."""
    # The wildcards as well, so that the folder belongs to one job, which removes it.
    job = [dict(wildcards.items()), settings(plan, wildcards)]
    sources = encoder_sources(plan, wildcards, script=script)
    return plan.paths.state("fine_tune", digest([*job, sources])[:16])


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
    own, evaluation = plan.grid.settings(cell), plan.grid.evaluation
    settings = {
        **{key: own[key] for key in ("audio", "encoder", "image", "portable")},
        **{protocol: evaluation[protocol] for protocol in protocols},
        **further,
        "threads": evaluation["threads"],
    }
    return dict(sorted(settings.items()))
