"""Plan the rehearsal: which cells and tasks stand for all of their kind, and what its rules run."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from fedssl import backbones, methods
from fedssl.files import digest
from fedssl.grid.cell import Cell
from fedssl.grid.cells import Grid
from fedssl.grid.plan import Plan, Wildcards
from fedssl.record.sources import source_digests

# Settings that the time of a training step depends on, apart from its batch and its data.
_OF_A_STEP = ("audio", "augmentation", "encoder", "image", "method", "precision", "threads")
PRETRAIN, EVALUATE = "pretrain", "evaluate"
FINE_TUNE, SCORE_ROUNDS = "fine_tune", "score_rounds"


def step_kind(grid: Grid, cell: Cell) -> str:
    """Return a digest of what the time of a cell's training steps depends on.

    Aggregators, shares of clients and numbers of epochs differ in how many steps there are. What
    an aggregator adds to a step is small.
    """
    settings = grid.settings(cell)
    own = {name: settings[name] for name in _OF_A_STEP}
    batch_size, datasets = settings["federation"]["batch_size"], grid.datasets(cell)
    return digest([cell.study, own, batch_size, datasets])[:12]


def trained_cells(plan: Plan) -> list[Cell]:
    """Return the first federated cell of each kind of training step."""
    found: dict[str, Cell] = {}
    for cell in plan.grid.cells:
        if cell.federated:
            found.setdefault(step_kind(plan.grid, cell), cell)
    return list(found.values())


def scored_cells(plan: Plan) -> list[tuple[Cell, str]]:
    """Return the first cell of each study and encoder, with each of the study's tasks."""
    found: dict[tuple[str, str], Cell] = {}
    for cell in plan.grid.cells:
        found.setdefault((cell.study, cell.arch), cell)
    return [(cell, task.task) for cell in found.values() for task in plan.grid.tasks(cell.study)]


def rehearsed_files(plan: Plan) -> Iterator[str]:
    """Yield the files of all rates of the rehearsal."""
    for cell in trained_cells(plan):
        yield plan.paths.rehearsed(PRETRAIN, cell)
    for cell, task in scored_cells(plan):
        yield plan.paths.rehearsed(EVALUATE, cell, task)
        if _rules_on_gpus(plan, cell.study):
            yield plan.paths.rehearsed(FINE_TUNE, cell, task)


def rehearsed_rules(plan: Plan, wildcards: Wildcards) -> list[str]:
    """Return the rules that `rehearse_fine_tune` rehearses for a study."""
    return _rules_on_gpus(plan, wildcards.study)


def _rules_on_gpus(plan: Plan, study: str) -> list[str]:
    """Return those of the rules that score checkpoints on GPUs which a study needs."""
    tables = [table for table in plan.config["tables"].values() if table["study"] == study]
    needed = {
        FINE_TUNE: any("fine-tune" in table["protocols"] for table in tables),
        SCORE_ROUNDS: plan.config["studies"][study].get("score_rounds", False),
    }
    return [rule for rule, own in needed.items() if own]


def training_names(plan: Plan, wildcards: Wildcards) -> dict[str, str]:
    """Return the fields of a rate that name a kind of pretraining."""
    cell = Cell.of(wildcards)
    names = {"rule": PRETRAIN, "study": cell.study, "arch": cell.arch, "method": cell.method}
    return {**names, "kind": step_kind(plan.grid, cell)}


def scoring_names(_: Plan, wildcards: Wildcards) -> dict[str, str]:
    """Return the fields of a rate that name a kind of scoring, apart from the rule."""
    own = {"study": wildcards.study, "arch": wildcards.arch}
    return {**own, "method": "", "kind": wildcards.task}


def training_sources(plan: Plan, wildcards: Wildcards) -> dict[str, str]:
    """Return the source digests of a rehearsed pretraining."""
    parts = [methods.module_name(wildcards.method), backbones.module_name(wildcards.arch)]
    return source_digests(plan.scripts / "rehearse_pretrain.py", *parts)


def budget_command(configfiles: list[Path], settings: dict[str, Any]) -> dict[str, list[str]]:
    """Return the configuration of a run as a command line has it."""
    return {
        "configfiles": [str(file) for file in configfiles],
        "settings": [f"{key}={json.dumps(value)}" for key, value in settings.items()],
    }
