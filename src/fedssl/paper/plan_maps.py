"""Inputs and parameters of the rules behind maps of features and their figures."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from fedssl import backbones
from fedssl.errors import UserError
from fedssl.grid.cell import Cell
from fedssl.grid.cells import Grid, Task
from fedssl.grid.configuration import Layer, origin, sort_keys
from fedssl.grid.paths import FINAL, ResultPaths
from fedssl.grid.splits import MODALITIES
from fedssl.paper.specs import row_axes
from fedssl.record.sources import source_digests

Wildcards = Any


class MapRules:
    """Maps of checkpoints, the tables of their silhouettes, and the figures that show both."""

    def __init__(
        self, grid: Grid, layers: Sequence[Layer], *, tree: ResultPaths, scripts: Path
    ) -> None:
        """Name every figure; raise UserError for a panel of no split or of a round not kept."""
        self._grid = grid
        self._tree = tree
        self._scripts = scripts
        self.threads: int = grid.config["evaluation"]["threads"]
        for name in grid.config["maps"]:
            place = f"{origin(('maps', name), layers)}: maps.{name}"
            for panel in self._panels(name):
                self._check(panel, place=place)
        self.figures = [name for name in grid.config["maps"] if self._can_be_drawn(name)]

    @property
    def tables(self) -> list[str]:
        """Return the tables of silhouettes."""
        return [self._tree.table(name) for name in self.figures]

    @property
    def checkpoints(self) -> list[str]:
        """Return every checkpoint that a figure shows, as the wildcard names it."""
        columns = [c for name in self.figures for c in self._grid.config["maps"][name]["columns"]]
        return sorted({_checkpoint(column) for column in columns})

    def inputs(self, wildcards: Wildcards) -> dict[str, Any]:
        """Return the checkpoint, or the folder it lies in, the banks and the audio statistics."""
        cell, study = Cell.of(wildcards), self._grid.config["studies"][wildcards.study]
        final = wildcards.checkpoint == FINAL
        return {
            "pretrained": self._tree.model(cell) if final else self._tree.milestones(cell),
            "banks": [self._tree.bank(task.dataset) for task in self._tasks(wildcards.study)],
            "normalisation": self._tree.normalisation(cell.study, study["datasets"]["audio"]),
        }

    def checkpoint(self, wildcards: Wildcards) -> str:
        """Return the file of the weights."""
        return self._tree.checkpoint(Cell.of(wildcards), wildcards.checkpoint)

    def settings(self, wildcards: Wildcards) -> dict[str, Any]:
        """Return what a map depends on besides the checkpoint and the banks."""
        cell = self._grid.settings(Cell.of(wildcards))
        tasks = self._tasks(wildcards.study)
        settings = {
            **{key: cell[key] for key in ("audio", "encoder", "image")},
            **self._grid.config["evaluation"]["embedding-map"],
            "datasets": [{"dataset": task.task, "split": task.split} for task in tasks],
            "seed": int(wildcards.seed),
            "threads": self.threads,
        }
        return dict(sort_keys(settings))

    def sources(self, wildcards: Wildcards) -> dict[str, str]:
        """Return the code behind a map."""
        encoder = backbones.module_name(wildcards.arch)
        return source_digests(self._scripts / "embedding_map.py", encoder)

    def figure(self, wildcards: Wildcards) -> dict[str, Any]:
        """Return a figure's panels, row by row, and the datasets they show."""
        name = wildcards.figure
        figure = self._grid.config["maps"][name]
        return {
            "study": figure["study"],
            "table": name.removeprefix(f"{figure['study']}_"),
            "title": figure["title"],
            "scale": self._grid.config["scale"]["kind"],
            "scale_note": self._grid.config["scale"]["note"],
            "rows": [row["row"] for row in figure["rows"]],
            "columns": [column["column"] for column in figure["columns"]],
            "datasets": {
                task.task: {"title": task.title, "modality": task.modality}
                for task in self._tasks(figure["study"])
            },
            "panels": [self._panel(panel) for panel in self._panels(name)],
        }

    def points(self, wildcards: Wildcards) -> list[str]:
        """Return the maps that a figure draws: of each panel the first seed's."""
        panels = self.figure(wildcards)["panels"]
        return [panel["cells"][0]["points"] for panel in panels if panel["cells"]]

    def summaries(self, wildcards: Wildcards) -> list[str]:
        """Return the silhouettes of a figure's panels, of every seed."""
        panels = self.figure(wildcards)["panels"]
        return [cell["summary"] for panel in panels for cell in panel["cells"]]

    def _panels(self, name: str) -> Iterator[dict[str, Any]]:
        figure = self._grid.config["maps"][name]
        for row in figure["rows"]:
            for column in figure["columns"]:
                yield {**row, **column, "study": figure["study"]}

    def _cells(self, panel: Mapping[str, Any]) -> list[Cell]:
        return self._grid.select(study=panel["study"], **row_axes(panel))

    def _panel(self, panel: Mapping[str, Any]) -> dict[str, Any]:
        cells = [
            {
                "seed": cell.seed,
                "cell": self._tree.model(cell),
                "points": self._tree.map_points(cell, _checkpoint(panel)),
                "summary": self._tree.map_summary(cell, _checkpoint(panel)),
            }
            for cell in self._cells(panel)
        ]
        return {"row": f"{panel['column']} {panel['row']}", "cells": cells}

    def _tasks(self, study: str) -> list[Task]:
        mapped = {t["task"] for t in self._grid.config["studies"][study]["tasks"] if t.get("map")}
        return [task for task in self._grid.tasks(study) if task.task in mapped]

    def _can_be_drawn(self, name: str) -> bool:
        """Return whether the grid declares a panel's cell, and samples of both modalities."""
        modalities = {
            task.modality for task in self._tasks(self._grid.config["maps"][name]["study"])
        }
        return modalities == set(MODALITIES) and any(map(self._cells, self._panels(name)))

    def _check(self, panel: Mapping[str, Any], *, place: str) -> None:
        if "split" not in panel:
            raise UserError(
                f"{place}: neither row {panel['row']!r} nor column {panel['column']!r} has a "
                "split; give one of them, for example split: a0-i0-b100."
            )
        for cell in self._cells(panel) if "round" in panel else []:
            kept = self._grid.settings(cell)["federation"].get("kept_rounds", [])
            if panel["round"] not in kept:
                raise UserError(
                    f"{place} shows round {panel['round']}, but federation.kept_rounds of "
                    f"{cell.path} is {kept}; add {panel['round']} to it, or show a round it holds."
                )


def _checkpoint(panel: Mapping[str, Any]) -> str:
    return f"round{panel['round']}" if "round" in panel else FINAL
