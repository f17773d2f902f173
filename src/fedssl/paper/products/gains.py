"""Gain over random init: each cell's accuracy minus that of the same encoder before training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from fedssl.grid.splits import parse_split
from fedssl.paper import paired_gain
from fedssl.paper.products.product import Axes, Files, Product, Spec
from fedssl.paper.rows import by_axes, cell_axes, label
from fedssl.paper.text_table import TextTable, scale_mark, scale_notes, write_csv_and_markdown
from fedssl.paper.verdict import Verdict

if TYPE_CHECKING:
    from fedssl.grid.cell import Cell
    from fedssl.grid.cells import Task
    from fedssl.grid.plan import Plan

COLUMNS = ("study", "row", "modality", "pretrained_on", "tasks", *paired_gain.COLUMNS, "status")
_PROTOCOL = "knn"


def names(plan: Plan) -> dict[str, str]:
    """Return one table per study."""
    return {f"{study}_random_init": study for study in plan.studies}


def spec(plan: Plan, name: str) -> dict[str, Any]:
    """Return, for each cell and modality, the metrics of the trained and the random encoder."""
    study = names(plan)[name]
    return {
        "study": study,
        **plan.grid.scale,
        "comparisons": [
            {
                "row": label(plan.grid, seeds[0]),
                "modality": modality,
                "pretrained_on": parse_split(seeds[0].split).uses(modality),
                "tasks": [_comparison(plan, seeds, task) for task in tasks],
            }
            for seeds in by_axes(plan.grid, study)
            for modality, tasks in _tasks_by_modality(plan, study).items()
        ],
    }


def inputs(plan: Plan, name: str) -> dict[str, list[str]]:
    """Return every metric file that is compared."""
    comparisons = spec(plan, name)["comparisons"]
    return {"metrics": paired_gain.metric_files(t for part in comparisons for t in part["tasks"])}


def axes(plan: Plan, name: str) -> Axes:
    """Return the axes of each cell."""
    return cell_axes(plan, names(plan)[name])


def write(spec: Spec, files: Files) -> None:
    """Write CSV and Markdown."""
    write_gains(spec, **files)


def write_gains(spec: Mapping[str, Any], *, csv: str | Path, md: str | Path) -> None:
    """Write the gains over random init as CSV (rounded to four decimals) and Markdown."""
    frame = build_gains(spec)
    write_csv_and_markdown(frame, text_table(frame, spec), csv=csv, md=md)


def build_gains(spec: Mapping[str, Any]) -> pd.DataFrame:
    """Return one row per comparison, with the columns `COLUMNS`.

    `gain` is in points of kNN top-1 accuracy: the mean over tasks, equally weighted, of trained
    less random init, and its interval as `paired_gain.measure` gives them. `status` is measured,
    scaled or, where a file is missing, not-run.

    Raises:
        UserError: Trained and random init were not evaluated on the same samples.
    """
    records = [_record(spec, comparison) for comparison in spec["comparisons"]]
    return pd.DataFrame.from_records(records, columns=list(COLUMNS)).astype(paired_gain.DTYPES)


def _record(spec: Mapping[str, Any], comparison: Mapping[str, Any]) -> dict[str, Any]:
    record = {
        "study": spec["study"],
        "row": comparison["row"],
        "modality": comparison["modality"],
        "pretrained_on": comparison["pretrained_on"],
        "tasks": " ".join(task["task"] for task in comparison["tasks"]),
    }
    gain = paired_gain.measure(comparison["tasks"], protocol=_PROTOCOL)
    if gain is None:
        return record | {"n_seeds": 0, "status": Verdict.NOT_RUN}
    return record | gain | {"status": "measured" if spec["scale"] == "paper" else Verdict.SCALED}


def text_table(frame: pd.DataFrame, spec: Mapping[str, Any]) -> TextTable:
    """Return the gains as a table prints them, one row per comparison."""
    header = ("row", "modality", "pretrained on it", "tasks", *paired_gain.HEADER)
    rows = tuple(_text_row(record) for record in frame.to_dict("records"))
    legend = "Gain: points of kNN top-1 accuracy over the same encoder at random, mean over tasks."
    interval = paired_gain.interval_note(max(frame["n_seeds"], default=0))
    return TextTable(
        title=f"{spec['study']}: gain over random init{scale_mark(spec)}",
        header=header,
        rows=rows,
        footer=(),
        notes=(legend, interval, *scale_notes(spec)),
    )


def _text_row(record: Mapping[Any, Any]) -> tuple[str, ...]:
    trained = "yes" if record["pretrained_on"] else "no"
    named = (record["row"], record["modality"], trained, record["tasks"])
    return (*named, *paired_gain.gain_texts(record))


def _tasks_by_modality(plan: Plan, study: str) -> dict[str, list[Task]]:
    found: dict[str, list[Task]] = {}
    for task in plan.grid.first_splits(study):
        found.setdefault(task.modality, []).append(task)
    return found


def _comparison(plan: Plan, seeds: Sequence[Cell], task: Task) -> dict[str, Any]:
    grid, paths = plan.grid, plan.paths
    initial = [replace(cell, variant=grid.initial_variant(cell)) for cell in seeds]
    return {
        "task": task.task,
        "before": [paths.random_init_metric(cell, task.task, _PROTOCOL) for cell in initial],
        "after": [paths.metric(cell, task.task, _PROTOCOL) for cell in seeds],
    }


PRODUCT = Product(
    names=names,
    spec=spec,
    inputs=inputs,
    tables=("csv", "md"),
    write=write,
    columns=COLUMNS,
    shown="gains",
    axes=axes,
)
