"""Contrasts: the gain from one cell to another that differs in one setting, on each task."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import pandas as pd

from fedssl.grid.paths import samples_of
from fedssl.paper import paired_gain
from fedssl.paper.products.product import Axes, Files, Product, Spec
from fedssl.paper.published import PROTOCOL_LABELS
from fedssl.paper.rows import of_studies, row_axes
from fedssl.paper.text_table import TextTable, scale_mark, scale_notes, write_table_files

if TYPE_CHECKING:
    from fedssl.grid.plan import Plan

COLUMNS = ("study", "row", "task", *paired_gain.COLUMNS, "status")
AVERAGE = "mean"
_SIDES = ("before", "after")


def names(plan: Plan) -> dict[str, str]:
    """Return the declared contrasts of the studies that have cells."""
    return of_studies(plan, "contrasts")


def spec(plan: Plan, name: str) -> dict[str, Any]:
    """Return the score files of both cells of each row, by task."""
    contrast = plan.grid.config["contrasts"][name]
    return {
        "study": contrast["study"],
        "title": contrast["title"],
        "protocol": contrast["protocol"],
        **plan.grid.scale,
        "rows": [_contrast(plan, contrast, row) for row in contrast["rows"]],
    }


def inputs(plan: Plan, name: str) -> dict[str, list[str]]:
    """Return the score files that are compared, and their predictions."""
    rows = spec(plan, name)["rows"]
    metrics = paired_gain.metric_files(task for row in rows for task in row["tasks"])
    return {"metrics": metrics, "samples": [*map(samples_of, metrics)]}


def axes(plan: Plan, name: str) -> Axes:
    """Return the axes of each row; an axis in which the cells differ has both values."""
    return {row["row"]: _both_sides(row) for row in plan.grid.config["contrasts"][name]["rows"]}


def write(spec: Spec, files: Files) -> None:
    """Write the contrasts as CSV and Markdown."""
    frame = build_contrasts(spec)
    write_table_files(frame, text_table(frame, spec), files)


def build_contrasts(spec: Spec) -> pd.DataFrame:
    """Return one row per contrast and task, and one for the mean over tasks, with `COLUMNS`.

    `gain` is the score of after minus that of before, as `paired_gain.measure` returns it.
    `status` is measured, scaled or, if a cell has no score, not-run.

    Raises:
        UserError: The cells of a row were not evaluated on the same samples.
    """
    return paired_gain.frame(
        (record for row in spec["rows"] for record in _comparisons(spec, row)),
        COLUMNS,
        protocol=spec["protocol"],
        scale=spec["scale"],
    )


def _comparisons(spec: Spec, row: Mapping[str, Any]) -> Iterator[paired_gain.Comparison]:
    groups = {task["task"]: [task] for task in row["tasks"]}
    # A second split of a dataset would count its dataset twice in the mean.
    averaged = [task for task in row["tasks"] if task["averaged"]]
    if len(averaged) > 1:
        groups[AVERAGE] = averaged
    for name, tasks in groups.items():
        yield {"study": spec["study"], "row": row["row"], "task": name}, tasks


def text_table(frame: pd.DataFrame, spec: Spec) -> TextTable:
    """Return the contrasts as text, one row per contrast and task."""
    return TextTable(
        title=f"{spec['study']}: {spec['title']}{scale_mark(spec)}",
        header=("row", "task", *paired_gain.HEADER),
        rows=tuple(
            (record["row"], record["task"], *paired_gain.gain_texts(record))
            for record in frame.to_dict("records")
        ),
        notes=(
            f"Gain in points of {PROTOCOL_LABELS[spec['protocol']]}.",
            "A second split of a dataset is left out of the mean.",
            paired_gain.interval_note(max(frame["n_seeds"], default=0)),
            *scale_notes(spec),
        ),
    )


def _contrast(plan: Plan, contrast: Mapping[str, Any], row: Mapping[str, Any]) -> dict[str, Any]:
    grid, study = plan.grid, contrast["study"]
    sides = {
        side: grid.select(study=study, **axes)
        for side, axes in zip(_SIDES, _axes_of_sides(row), strict=True)
    }
    protocols = {side: row[side].get("protocol", contrast["protocol"]) for side in _SIDES}
    averaged = grid.first_splits(study)
    tasks = [
        {
            "task": task.task,
            "averaged": task in averaged,
            "protocols": protocols,
            **{
                side: [plan.paths.metric(cell, task.task, protocols[side]) for cell in cells]
                for side, cells in sides.items()
            },
        }
        for task in grid.tasks(study)
        if row.get("modality", task.modality) == task.modality
    ]
    return {"row": row["row"], "tasks": tasks}


def _axes_of_sides(row: Mapping[str, Any]) -> list[dict[str, str]]:
    return [row_axes({**row, **row[side]}) for side in _SIDES]


def _both_sides(row: Mapping[str, Any]) -> dict[str, str]:
    before, after = _axes_of_sides(row)
    return {axis: " ".join(dict.fromkeys((before[axis], after[axis]))) for axis in before}


PRODUCT = Product(
    names=names,
    spec=spec,
    inputs=inputs,
    tables=("csv", "md", "html"),
    write=write,
    shown="rows",
    text_table=text_table,
    axes=axes,
)
