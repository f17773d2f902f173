"""Which cells each comparison holds against which: gains over random init, and contrasts."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from fedssl.grid.cell import Cell
from fedssl.grid.cells import Grid, Task
from fedssl.grid.paths import ResultPaths
from fedssl.grid.splits import parse_split
from fedssl.paper.specs import by_axes, label, row_axes, scale


def gains_spec(grid: Grid, study: str, tree: ResultPaths) -> dict[str, Any]:
    """Return, for each cell and modality, the metrics of the trained and the random encoder."""
    cells = by_axes(grid, study)
    return {
        "study": study,
        **scale(grid),
        "comparisons": [
            {
                "row": label(grid, seeds[0]),
                "modality": modality,
                "pretrained_on": parse_split(seeds[0].split).uses(modality),
                "tasks": [_comparison(grid, seeds, task, tree) for task in tasks],
            }
            for seeds in cells
            for modality, tasks in _tasks_by_modality(grid, study).items()
        ],
    }


def gains_inputs(grid: Grid, study: str, tree: ResultPaths) -> list[str]:
    """Return every metric file that the comparison with random init reads."""
    tasks = [
        task for part in gains_spec(grid, study, tree)["comparisons"] for task in part["tasks"]
    ]
    return _sides(tasks)


def contrasts_spec(grid: Grid, name: str, tree: ResultPaths) -> dict[str, Any]:
    """Return, for each row and task, the metrics of the cells before and after a change."""
    contrast = grid.config["contrasts"][name]
    return {
        "study": contrast["study"],
        "title": contrast["title"],
        "protocol": contrast["protocol"],
        **scale(grid),
        "rows": [_contrast(grid, contrast, row, tree) for row in contrast["rows"]],
    }


def contrasts_inputs(grid: Grid, name: str, tree: ResultPaths) -> list[str]:
    """Return every metric file that a table of contrasts reads."""
    rows = contrasts_spec(grid, name, tree)["rows"]
    return _sides([task for row in rows for task in row["tasks"]])


def _contrast(
    grid: Grid, contrast: Mapping[str, Any], row: Mapping[str, Any], tree: ResultPaths
) -> dict[str, Any]:
    before, after = (
        grid.select(study=contrast["study"], **row_axes({**row, **row[side]}))
        for side in ("before", "after")
    )
    averaged = _first_splits(grid, contrast["study"])
    tasks = [
        {
            "task": task.task,
            "averaged": task in averaged,
            "before": [tree.metric(cell, task.task, contrast["protocol"]) for cell in before],
            "after": [tree.metric(cell, task.task, contrast["protocol"]) for cell in after],
        }
        for task in grid.tasks(contrast["study"])
        if row.get("modality", task.modality) == task.modality
    ]
    return {"row": row["row"], "tasks": tasks}


def _sides(tasks: list[dict[str, Any]]) -> list[str]:
    return sorted({path for task in tasks for path in (*task["before"], *task["after"])})


def _first_splits(grid: Grid, study: str) -> list[Task]:
    """Return what a mean is over: of several splits of a dataset the first that is declared."""
    found: dict[str, Task] = {}
    for task in grid.tasks(study):
        found.setdefault(task.dataset, task)
    return list(found.values())


def _tasks_by_modality(grid: Grid, study: str) -> dict[str, list[Task]]:
    found: dict[str, list[Task]] = {}
    for task in _first_splits(grid, study):
        found.setdefault(task.modality, []).append(task)
    return found


def _comparison(grid: Grid, seeds: list[Cell], task: Task, tree: ResultPaths) -> dict[str, Any]:
    initial = [replace(cell, variant=grid.initial_variant(cell)) for cell in seeds]
    return {
        "task": task.task,
        "before": [tree.random_init_metric(cell, task.task, "knn") for cell in initial],
        "after": [tree.metric(cell, task.task, "knn") for cell in seeds],
    }
