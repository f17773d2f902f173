"""Plan the figures of maps: their panels, and the jobs that map the features of a checkpoint.

A panel shows a checkpoint of one cell. `products/silhouettes.py` and `products/map_figure.py`
write the table and the figure.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from fedssl import backbones
from fedssl.errors import UserError
from fedssl.grid.cell import Cell
from fedssl.grid.configuration import origin, sort_keys
from fedssl.grid.paths import FINAL
from fedssl.grid.splits import MODALITIES
from fedssl.paper.rows import of_studies, row_axes
from fedssl.record.sources import source_digests

if TYPE_CHECKING:
    from fedssl.grid.plan import Plan, Wildcards
    from fedssl.grid.tasks import Task


def figures(plan: Plan) -> dict[str, str]:
    """Return name -> study of the figures with a declared cell and tasks of both modalities."""
    maps = of_studies(plan, "maps")
    return {name: study for name, study in maps.items() if _can_be_drawn(plan, name)}


def check_maps(plan: Plan) -> None:
    """Raise UserError for a panel without a split, or with a round that its cell does not keep."""
    for name in plan.grid.config["maps"]:
        place = f"{origin(('maps', name), plan.layers)}: maps.{name}"
        for panel in _panels(plan, name):
            _check(plan, panel, place=place)


def figure_spec(plan: Plan, name: str) -> dict[str, Any]:
    """Return the panels of a figure, row by row, and the datasets on its maps."""
    figure = plan.grid.config["maps"][name]
    return {
        "study": figure["study"],
        "table": name.removeprefix(f"{figure['study']}_"),
        "title": figure["title"],
        **plan.grid.scale,
        "rows": [row["row"] for row in figure["rows"]],
        "columns": [column["column"] for column in figure["columns"]],
        "datasets": {
            task.task: {"title": task.title, "modality": task.modality}
            for task in _tasks(plan, figure["study"])
        },
        "panels": [_panel(plan, panel) for panel in _panels(plan, name)],
    }


def checkpoints(plan: Plan) -> list[str]:
    """Return the values of the wildcard `checkpoint`: the rounds in figures, and `final`."""
    columns = (c for name in figures(plan) for c in plan.grid.config["maps"][name]["columns"])
    return sorted({_checkpoint(column) for column in columns})


def map_inputs(plan: Plan, wildcards: Wildcards) -> dict[str, Any]:
    """Return the checkpoint or its folder, the banks and the audio statistics."""
    cell, study = Cell.of(wildcards), plan.grid.config["studies"][wildcards.study]
    final, audio = wildcards.checkpoint == FINAL, study["datasets"].get("audio")
    statistics = {"normalisation": plan.paths.normalisation(cell.study, audio)} if audio else {}
    return {
        # The rule `pretrain` declares the folder of kept rounds and not its files, because their
        # number depends on the settings.
        "pretrained": plan.paths.model(cell) if final else plan.paths.milestones(cell),
        "banks": [plan.paths.bank(task.dataset) for task in _tasks(plan, wildcards.study)],
        **statistics,
    }


def map_checkpoint(plan: Plan, wildcards: Wildcards) -> str:
    """Return the path of the checkpoint's weights."""
    return plan.paths.checkpoint(Cell.of(wildcards), wildcards.checkpoint)


def map_settings(plan: Plan, wildcards: Wildcards) -> dict[str, Any]:
    """Return the settings of a map's job."""
    cell, evaluation = plan.grid.settings(Cell.of(wildcards)), plan.grid.config["evaluation"]
    tasks = _tasks(plan, wildcards.study)
    settings = {
        **{key: cell[key] for key in ("audio", "encoder", "image", "portable")},
        **evaluation["embedding-map"],
        "datasets": [{"dataset": task.task, "split": task.split} for task in tasks],
        "seed": int(wildcards.seed),
        "threads": evaluation["threads"],
    }
    # Snakemake compares parameters as a list without names, so they are one dict in sorted order.
    return dict(sort_keys(settings))


def map_sources(plan: Plan, wildcards: Wildcards) -> dict[str, str]:
    """Return the digests of the code of a map's job, with the module of its encoder."""
    # An edit of one encoder reruns only the maps of that encoder.
    encoder = backbones.module_name(wildcards.arch)
    return source_digests(plan.scripts / "embedding_map.py", encoder)


def _panels(plan: Plan, name: str) -> Iterator[dict[str, Any]]:
    figure = plan.grid.config["maps"][name]
    for row in figure["rows"]:
        for column in figure["columns"]:
            yield {**row, **column, "study": figure["study"]}


def _cells(plan: Plan, panel: Mapping[str, Any]) -> list[Cell]:
    return plan.grid.select(study=panel["study"], **row_axes(panel))


def _panel(plan: Plan, panel: Mapping[str, Any]) -> dict[str, Any]:
    cells = [
        {
            "seed": cell.seed,
            "cell": plan.paths.model(cell),
            "points": plan.paths.map_points(cell, _checkpoint(panel)),
            "summary": plan.paths.map_summary(cell, _checkpoint(panel)),
        }
        for cell in _cells(plan, panel)
    ]
    return {"row": f"{panel['column']} {panel['row']}", "cells": cells}


def _tasks(plan: Plan, study: str) -> list[Task]:
    tasks = plan.grid.config["studies"][study]["tasks"]
    mapped = {task["task"] for task in tasks if task.get("map")}
    return [task for task in plan.grid.tasks(study) if task.task in mapped]


def _can_be_drawn(plan: Plan, name: str) -> bool:
    tasks = _tasks(plan, plan.grid.config["maps"][name]["study"])
    cells = (_cells(plan, panel) for panel in _panels(plan, name))
    # A silhouette by modality needs samples of both.
    return {task.modality for task in tasks} == set(MODALITIES) and any(cells)


def _check(plan: Plan, panel: Mapping[str, Any], *, place: str) -> None:
    if "split" not in panel:
        raise UserError(
            f"{place}: neither row {panel['row']!r} nor column {panel['column']!r} has a "
            "split; give one of them, for example split: a0-i0-b100."
        )
    for cell in _cells(plan, panel) if "round" in panel else []:
        kept = plan.grid.settings(cell)["federation"].get("kept_rounds", [])
        if panel["round"] not in kept:
            raise UserError(
                f"{place} shows round {panel['round']}, but federation.kept_rounds of "
                f"{cell.path} is {kept}; add {panel['round']} to it, or show one of its rounds."
            )


def _checkpoint(panel: Mapping[str, Any]) -> str:
    return f"round{panel['round']}" if "round" in panel else FINAL
