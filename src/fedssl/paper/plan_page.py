"""Inputs and parameters of the rule that writes the report page."""

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from fedssl.grid.cells import Grid
from fedssl.grid.configuration import Layer
from fedssl.grid.paths import ResultPaths, from_here
from fedssl.paper.names import pretraining_name
from fedssl.paper.plan_report import ReportRules
from fedssl.paper.products.rounds import NAMED
from fedssl.paper.specs import by_axes, label, row_axes

Wildcards = Any
_TEMPLATES = Path(__file__).parent / "page" / "templates"


class PageRules:
    """The report page: every table and figure of every study."""

    def __init__(self, grid: Grid, tree: ResultPaths, report: ReportRules) -> None:
        """Keep where things are."""
        self._grid = grid
        self._tree = tree
        files = [Path(tree.table("datasets")), *map(Path, report.all_files)]
        self.tables = [str(file) for file in files if file.suffix == ".csv"]
        self.figures = [str(file.with_suffix(".svg")) for file in files if file.suffix == ".pdf"]
        # Not code that is imported, so no part of `sources`.
        self.templates = sorted(map(str, from_here(_TEMPLATES).iterdir()))

    def spec(self, layers: Sequence[Layer], *, shipped: int) -> dict[str, Any]:
        """Return the page's scale, what it shows, how to run a cell again, and what was declared.

        `layers` are the configuration's sources, of which the first `shipped` come unasked.
        """
        config = self._grid.config
        return {
            "scale": config["scale"]["kind"],
            "scale_note": config["scale"]["note"],
            "results": self._tree.results,
            "command": _command(layers[shipped:], paper=config["scale"]["kind"] == "paper"),
            "studies": {name: study["title"] for name, study in config["studies"].items()},
            "axes": self._axes(),
            "tables": self.tables,
            "figures": self.figures,
            "cells": [self._tree.model(cell) for cell in self._grid.cells],
        }

    def _axes(self) -> dict[str, dict[str, dict[str, str]]]:
        """Return table -> row -> its axes; of a contrast, both values of what it changes."""
        config, grid = self._grid.config, self._grid
        found = {
            name: {row["row"]: row_axes(row) for row in table["rows"]}
            for name, table in config["tables"].items()
        }
        for name, contrast in config["contrasts"].items():
            found[name] = {row["row"]: _both_sides(row) for row in contrast["rows"]}
        for study in config["studies"]:
            cells = [seeds[0] for seeds in by_axes(grid, study)]
            own = {label(grid, cell): cell.axes for cell in cells}
            found |= {f"{study}_{name}": own for name in ("random_init", "communication")}
            found[f"{study}_rounds"] = {
                pretraining_name(cell.axes, shown=NAMED): cell.axes for cell in cells
            }
        return found


def _both_sides(row: Mapping[str, Any]) -> dict[str, str]:
    before, after = (row_axes({**row, **row[side]}) for side in ("before", "after"))
    return {axis: " ".join(dict.fromkeys((before[axis], after[axis]))) for axis in before}


def _command(layers: Sequence[Layer], *, paper: bool) -> str:
    """Return the command line up to its targets, with the configuration that was given.

    Where archives come from is no part of it: they are there, and another mirror reruns nothing.
    """
    *files, command_line = layers
    words = ["snakemake", *(["--profile", "slurm"] if paper else ["--cores", "all"])]
    if files:
        words += ["--configfile", *(layer.name for layer in files)]
    given = [f"{key}={value}" for key, value in command_line.content.items() if key != "mirror"]
    return shlex.join([*words, *(["--config", *given] if given else [])])
