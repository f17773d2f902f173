"""Inputs and parameters of the figure of scores per round."""

from typing import Any

from fedssl.grid.cell import Cell
from fedssl.grid.cells import Grid
from fedssl.grid.paths import ResultPaths
from fedssl.paper.names import pretraining_name, word
from fedssl.paper.specs import base_first


def scored_cells(grid: Grid, study: str) -> list[Cell]:
    """Return the cells of a study whose rounds are scored."""
    scored = grid.config["studies"][study].get("score_rounds", False)
    cells = grid.select(study=study) if scored else []
    return [cell for cell in cells if grid.keeps_rounds(cell)]


def rounds_spec(grid: Grid, study: str, tree: ResultPaths) -> dict[str, Any]:
    """Return the scores of each cell's rounds on each task, and what things are called."""
    cells, tasks = scored_cells(grid, study), grid.tasks(study)
    scale = grid.config["scale"]
    return {
        "title": f"{study}: R@1 of the global model per round; stars: best round of the mean",
        "scale": scale["kind"],
        "scale_note": scale["note"],
        "methods": {cell.method: word(cell.method) for cell in cells},
        "tasks": {task.task: task.title for task in tasks},
        "variants": sorted({cell.variant for cell in cells}, key=base_first),
        "curves": [
            {
                "cell": {**cell.axes, "seed": cell.seed},
                "line": _line(cell),
                "task": task.task,
                "path": tree.round_scores(cell, task.task),
            }
            for cell in cells
            for task in tasks
        ],
    }


def rounds_inputs(grid: Grid, study: str, tree: ResultPaths) -> list[str]:
    """Return the scores that the figure is drawn from."""
    return [curve["path"] for curve in rounds_spec(grid, study, tree)["curves"]]


def _line(cell: Cell) -> str:
    return pretraining_name(cell.axes, shown=("aggregator", "variant"))
