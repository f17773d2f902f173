"""The status of each declared cell, and `cells.csv`, which lists all of them."""

import csv
import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fedssl.errors import UserError
from fedssl.files import atomic_write
from fedssl.grid.cell import ALL_AXES, Cell
from fedssl.grid.cells import Grid
from fedssl.grid.paths import RECORD, ResultPaths
from fedssl.grid.settings_diff import settings_diff
from fedssl.record.damage import Damage, job_damage
from fedssl.record.read import read_record

# Facts of a pretraining record: clients' updates, those dropped because they were not finite, and
# ||end - start|| / ||start|| of the backbone.
_TRAINING = ("updates", "dropped_updates", "backbone_change")


def write_cells(grid: Grid, tree: ResultPaths) -> None:
    """Write `<results>/cells.csv`: every declared cell with its settings, path and status."""
    # This runs when a workflow ends. Neither a full disk, nor a folder in place of the file, nor
    # another run that has taken over the results must hide the report of failed jobs.
    path = Path(tree.cells())
    try:
        _write_cells(path, grid, tree)
    except OSError as error:
        print(f"{path} is not up to date: {error.strerror}.", file=sys.stderr)
    except UserError as error:
        print(f"{path} is not up to date: {error}", file=sys.stderr)


def _write_cells(path: Path, grid: Grid, tree: ResultPaths) -> None:
    with atomic_write(path) as temporary, temporary.open("w", newline="") as file:
        columns = (*ALL_AXES, "status", *_TRAINING, "path", "settings")
        writer = csv.DictWriter(file, fieldnames=columns)
        writer.writeheader()
        for cell in grid.cells:
            record = Path(tree.provenance(cell))
            content = read_record(record, record.parent).content if record.is_file() else {}
            extra = {
                "status": status(grid, cell, tree),
                **{name: content.get(name, "") for name in _TRAINING},
                "path": tree.model(cell),
                "settings": json.dumps(grid.settings(cell)),
            }
            writer.writerow({**cell.all_axes, **extra})


def status(grid: Grid, cell: Cell, tree: ResultPaths) -> str:
    """Return the status of a cell.

    It is `not-run`, `damaged` (see `cell_damage`), `other-settings` (the recorded settings differ
    from the configuration), `pretrained` (scores are missing) or `done`.
    """
    if cell_damage(cell, tree):
        return "damaged"
    if not Path(tree.model(cell)).is_file():
        return "not-run"
    if other_settings(tree.provenance(cell), grid.settings(cell)):
        return "other-settings"
    metrics = (tree.metric(cell, task.task, "knn") for task in grid.tasks(cell.study))
    return "done" if all(Path(metric).is_file() for metric in metrics) else "pretrained"


def cell_damage(cell: Cell, tree: ResultPaths) -> list[Damage]:
    """Return the damaged files of a cell's pretraining and scores, without hashing any.

    A model whose folder is gone is damaged if it has been scored.
    """
    root, own = Path(tree.results), Path(tree.provenance(cell))
    scores = sorted(Path(tree.scores(cell, "")).rglob(f"*{RECORD}"))
    found = [damage for path in (own, *scores) for damage in job_damage(path, root, hashes=False)]
    if not os.path.lexists(own) and (scores or os.path.lexists(tree.model(cell))):
        found.insert(0, Damage(own, "is missing"))
    return found


def other_settings(record: str | Path, settings: Mapping[str, Any]) -> list[str]:
    """Return how the settings in a record differ from `settings`, one sentence per setting.

    The list is empty if there is no record.
    """
    path = Path(record)
    if not path.is_file():
        return []
    recorded = read_record(path, path.parent)
    if not recorded.content:
        return ["its record is damaged"]
    # The record was read from JSON, in which tuples are lists and all keys are text.
    declared = json.loads(json.dumps(settings))
    return [str(change) for change in settings_diff(recorded.settings, declared)]
