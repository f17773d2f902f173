"""Inputs and parameters of the rules that account for a run: its ledger, certificate and crate."""

from typing import Any

from fedssl.experiments import Cell, Grid
from fedssl.paths import Tree
from fedssl.rules.specs import AXES, by_axes, label, scale

Wildcards = Any


class TrustRules:
    """What a run must say of itself."""

    def __init__(self, grid: Grid, tree: Tree) -> None:
        """Keep where things are."""
        self._grid = grid
        self._tree = tree

    def communication(self, wildcards: Wildcards) -> dict[str, Any]:
        """Return a study's cells, and the files that say what each sent."""
        return {
            "study": wildcards.study,
            "title": f"{wildcards.study}: what the clients send and receive",
            **scale(self._grid),
            "cells": [
                {
                    "label": label(self._grid, seeds[0]),
                    **{axis: getattr(seeds[0], axis) for axis in AXES},
                    "seeds": [self._sent(cell) for cell in seeds],
                }
                for seeds in by_axes(self._grid, wildcards.study)
            ],
        }

    def communication_inputs(self, wildcards: Wildcards) -> list[str]:
        """Return the record and the history of each cell of a study."""
        cells = self._grid.select(study=wildcards.study)
        return [path for cell in cells for path in self._sent(cell).values()]

    def _sent(self, cell: Cell) -> dict[str, str]:
        tree = self._tree
        return {"provenance": tree.provenance(cell), "rounds": tree.rounds(cell)}
