"""Contrasts: pairs of cells that differ in one thing, task by task and on average."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from fedssl.paper import paired_gain
from fedssl.paper.products.product import Axes, Files, Product, Spec
from fedssl.paper.published import PROTOCOL_LABELS
from fedssl.paper.rows import of_studies, row_axes
from fedssl.paper.text_table import TextTable, scale_mark, scale_notes, write_csv_and_markdown
from fedssl.paper.verdict import Verdict

if TYPE_CHECKING:
    from fedssl.grid.plan import Plan

COLUMNS = ("study", "row", "task", *paired_gain.COLUMNS, "status")
AVERAGE = "mean"


def names(plan: Plan) -> dict[str, str]:
    """Return the declared contrasts of the studies that have cells."""
    return of_studies(plan, "contrasts")


def spec(plan: Plan, name: str) -> dict[str, Any]:
    """Return, for each row and task, the metrics of the cells before and after a change."""
    contrast = plan.grid.config["contrasts"][name]
    return {
        "study": contrast["study"],
        "title": contrast["title"],
        "protocol": contrast["protocol"],
        **plan.grid.scale,
        "rows": [_contrast(plan, contrast, row) for row in contrast["rows"]],
    }


def inputs(plan: Plan, name: str) -> dict[str, list[str]]:
    """Return every metric file that is compared."""
    rows = spec(plan, name)["rows"]
    return {"metrics": paired_gain.metric_files(task for row in rows for task in row["tasks"])}


def axes(plan: Plan, name: str) -> Axes:
    """Return the axes of each row, with both values of what it changes."""
    return {row["row"]: _both_sides(row) for row in plan.grid.config["contrasts"][name]["rows"]}


def write(spec: Spec, files: Files) -> None:
    """Write CSV and Markdown."""
    write_contrasts(spec, **files)


def write_contrasts(spec: Mapping[str, Any], *, csv: str | Path, md: str | Path) -> None:
    """Write the contrasts as CSV (rounded to four decimals) and Markdown."""
    frame = build_contrasts(spec)
    write_csv_and_markdown(frame, text_table(frame, spec), csv=csv, md=md)


def build_contrasts(spec: Mapping[str, Any]) -> pd.DataFrame:
    """Return one row per contrast and task, and one for the mean over tasks, with `COLUMNS`.

    A second split of a dataset has a row of its own and no part in the mean, which would else
    count its dataset twice.

    `gain` is after less before as `paired_gain.measure` gives it; `status` is measured, scaled
    or, where a cell has no score, not-run.

    Raises:
        UserError: Before and after were not evaluated on the same samples.
    """
    records = [record for row in spec["rows"] for record in _records(spec, row)]
    return pd.DataFrame.from_records(records, columns=list(COLUMNS)).astype(paired_gain.DTYPES)


def _records(spec: Mapping[str, Any], row: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    done = "measured" if spec["scale"] == "paper" else Verdict.SCALED
    groups = {task["task"]: [task] for task in row["tasks"]}
    averaged = [task for task in row["tasks"] if task["averaged"]]
    if len(averaged) > 1:
        groups[AVERAGE] = averaged
    for name, tasks in groups.items():
        record = {"study": spec["study"], "row": row["row"], "task": name}
        gain = paired_gain.measure(tasks, protocol=spec["protocol"])
        if gain is None:
            yield record | {"n_seeds": 0, "status": Verdict.NOT_RUN}
        else:
            yield record | gain | {"status": done}


def text_table(frame: pd.DataFrame, spec: Mapping[str, Any]) -> TextTable:
    """Return the contrasts as a table prints them, a row each."""
    rows = tuple(
        (record["row"], record["task"], *paired_gain.gain_texts(record))
        for record in frame.to_dict("records")
    )
    legend = f"Gain: points of {PROTOCOL_LABELS[spec['protocol']]}."
    mean = "A second split of a dataset is left out of the mean."
    interval = paired_gain.interval_note(max(frame["n_seeds"], default=0))
    return TextTable(
        title=f"{spec['study']}: {spec['title']}{scale_mark(spec)}",
        header=("row", "task", *paired_gain.HEADER),
        rows=rows,
        footer=(),
        notes=(legend, mean, interval, *scale_notes(spec)),
    )


def _contrast(plan: Plan, contrast: Mapping[str, Any], row: Mapping[str, Any]) -> dict[str, Any]:
    grid, paths, study, protocol = plan.grid, plan.paths, contrast["study"], contrast["protocol"]
    before, after = (
        grid.select(study=study, **row_axes({**row, **row[side]})) for side in ("before", "after")
    )
    averaged = grid.first_splits(study)
    tasks = [
        {
            "task": task.task,
            "averaged": task in averaged,
            "before": [paths.metric(cell, task.task, protocol) for cell in before],
            "after": [paths.metric(cell, task.task, protocol) for cell in after],
        }
        for task in grid.tasks(study)
        if row.get("modality", task.modality) == task.modality
    ]
    return {"row": row["row"], "tasks": tasks}


def _both_sides(row: Mapping[str, Any]) -> dict[str, str]:
    before, after = (row_axes({**row, **row[side]}) for side in ("before", "after"))
    return {axis: " ".join(dict.fromkeys((before[axis], after[axis]))) for axis in before}


PRODUCT = Product(
    names=names,
    spec=spec,
    inputs=inputs,
    tables=("csv", "md"),
    write=write,
    columns=COLUMNS,
    shown="rows",
    text_table=text_table,
    axes=axes,
)
