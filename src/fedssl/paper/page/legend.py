"""Explain the short names in rows and columns: in a legend, and for the search."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from fedssl.paper.names import word

if TYPE_CHECKING:
    from fedssl.grid.plan import Plan

_BACKBONE_ONLY = "-bb"


def legend(plan: Plan) -> list[tuple[str, str]]:
    """Return (name, meaning) of encoders, datasets, splits and variants, from the configuration."""
    entries = [*_datasets(plan), *_encoders(plan)]
    if plan.papers:
        entries += _pretrainings(plan)
    # A name that says it all, such as "KS2" for a dataset of this title, needs no entry.
    return [(name, meaning) for name, meaning in dict(entries).items() if name != meaning]


def _datasets(plan: Plan) -> Iterator[tuple[str, str]]:
    """Yield the columns that are one dataset, with its name and title."""
    titles = {name: entry["title"] for name, entry in plan.config["datasets"].items()}
    tasks = [task for study in plan.studies for task in plan.grid.tasks(study)]
    datasets = {task.task: task.dataset for task in tasks}
    for table in plan.config["tables"].values():
        for column in table["columns"]:
            name, found = column["column"], [datasets.get(task) for task in column["tasks"]]
            # A small run may average over a single dataset.
            if len(found) == 1 and found[0] and not name.startswith("Avg."):
                yield name, f"{titles[found[0]]} ({found[0]})"


def _encoders(plan: Plan) -> Iterator[tuple[str, str]]:
    for arch in dict.fromkeys(cell.arch for cell in plan.grid.cells):
        yield word(arch), arch


def _pretrainings(plan: Plan) -> Iterator[tuple[str, str]]:
    cells = plan.grid.cells
    yield "aX-iY-bZ", "X % of the clients hold audio only, Y % images only, Z % both"
    for split in dict.fromkeys(cell.split for cell in cells):
        if not word(split).endswith(split):
            yield word(split), split
    if any(cell.aggregator.endswith(_BACKBONE_ONLY) for cell in cells):
        yield _BACKBONE_ONLY, "clients send the backbone only, not the head"
    for cell in cells:
        epochs = plan.grid.settings(cell)["federation"].get("local_epochs")
        if word(cell.variant) == f"E={epochs}":
            yield word(cell.variant), f"local epochs: {epochs}"
