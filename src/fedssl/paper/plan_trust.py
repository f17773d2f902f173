"""Inputs and parameters of the rules that account for a run: its ledger, certificate and crate."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from fedssl.grid.cell import Cell
from fedssl.grid.cells import Grid
from fedssl.grid.paths import ResultPaths
from fedssl.paper.plan_report import ReportRules
from fedssl.paper.specs import by_axes, label, scale
from fedssl.record.sources import WORKFLOW_FILES, WORKFLOW_FOLDERS

Wildcards = Any


class TrustRules:
    """What a run must say of itself."""

    def __init__(self, grid: Grid, tree: ResultPaths, report: ReportRules, *, root: Path) -> None:
        """Keep where things are; `root` is the checkout."""
        self._grid = grid
        self._tree = tree
        self._report = report
        self._root = root

    def communication(self, wildcards: Wildcards) -> dict[str, Any]:
        """Return a study's cells, and the files that say what each sent."""
        return {
            "study": wildcards.study,
            "title": f"{wildcards.study}: what the clients send and receive",
            **scale(self._grid),
            "cells": [
                {
                    "label": label(self._grid, seeds[0]),
                    **seeds[0].axes,
                    "seeds": [self._sent(cell) for cell in seeds],
                }
                for seeds in by_axes(self._grid, wildcards.study)
            ],
        }

    def communication_inputs(self, wildcards: Wildcards) -> list[str]:
        """Return the record and the history of each cell of a study."""
        cells = self._grid.select(study=wildcards.study)
        return [path for cell in cells for path in self._sent(cell).values()]

    def certificate(self) -> dict[str, Any]:
        """Return what was declared, to be held against what the records say."""
        config, results = self._grid.config, Path(self._tree.results)
        records = (Path(self._tree.provenance(cell)) for cell in self._grid.cells)
        return {
            **scale(self._grid),
            "results": self._tree.results,
            "studies": [study["title"] for study in config["studies"].values()],
            "tables": [self._report.file(table) for table in self._report.tables],
            "seeds": list(config["seeds"]),
            "cells": [record.relative_to(results).as_posix() for record in records],
            "datasets": {name: entry["title"] for name, entry in config["datasets"].items()},
        }

    def records(self) -> list[str]:
        """Return the records that change when anything ran again: of cells and of products.

        A cell that ran again may give the same numbers, in another time on another machine.
        """
        files = [*self._report.all_files, self._tree.table("datasets")]
        products = [str(Path(file).with_suffix(".provenance.json")) for file in files]
        return [*map(self._tree.provenance, self._grid.cells), *products]

    def crate(self) -> dict[str, Any]:
        """Return what the crate says of the run besides its records."""
        return {
            **scale(self._grid),
            "title": "fedssl, federated self-supervised learning reproduced",
            "results": self._tree.results,
            "urls": dict(self._addresses()),
            "code": [path.relative_to(self._root).as_posix() for path in self.code()],
        }

    def code(self) -> list[Path]:
        """Return the files of the workflow, sorted."""
        folders = (self._root / folder for folder in WORKFLOW_FOLDERS)
        inside = (path for folder in folders for path in folder.rglob("*") if path.is_file())
        kept = (path for path in inside if "__pycache__" not in path.parts)
        return sorted([*kept, *(self._root / name for name in WORKFLOW_FILES)])

    def _addresses(self) -> Iterator[tuple[str, str]]:
        """Yield the path and the official address of each archive that has one."""
        archives = f"{self._grid.config['data_dir']}/archives"
        for name, entry in self._grid.config["datasets"].items():
            for archive in entry["archives"].values():
                if archive.get("urls"):
                    yield f"{archives}/{name}/{archive['file']}", archive["urls"][0]

    def _sent(self, cell: Cell) -> dict[str, str]:
        tree = self._tree
        return {"provenance": tree.provenance(cell), "rounds": tree.rounds(cell)}
