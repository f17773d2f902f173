"""Gain over random init: each cell's accuracy minus that of the same encoder before training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pandas as pd

from fedssl.grid.paths import samples_of
from fedssl.grid.splits import parse_split
from fedssl.paper import paired_gain
from fedssl.paper.products.product import Axes, Files, Product, Spec
from fedssl.paper.rows import by_axes, cell_axes, label
from fedssl.paper.text_table import TextTable, scale_mark, scale_notes, write_table_files

if TYPE_CHECKING:
    from fedssl.grid.cell import Cell
    from fedssl.grid.plan import Plan
    from fedssl.grid.tasks import Task

_NAMED = ("row", "modality", "pretrained_on")
COLUMNS = ("study", *_NAMED, "tasks", *paired_gain.COLUMNS, "status")
_PROTOCOL = "knn"


def names(plan: Plan) -> dict[str, str]:
    """Return one table per study."""
    return {f"{study}_random_init": study for study in plan.studies}


def spec(plan: Plan, name: str) -> dict[str, Any]:
    """Return the score files of the trained and the random encoder, by cell and modality."""
    study = names(plan)[name]
    return {
        "study": study,
        "title": _title(study),
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


def _title(study: str) -> str:
    return f"{study}: gain over random init"


def inputs(plan: Plan, name: str) -> dict[str, list[str]]:
    """Return the score files that are compared, and their predictions."""
    comparisons = spec(plan, name)["comparisons"]
    metrics = paired_gain.metric_files(t for part in comparisons for t in part["tasks"])
    return {"metrics": metrics, "samples": [*map(samples_of, metrics)]}


def axes(plan: Plan, name: str) -> Axes:
    """Return the axes of each cell."""
    return cell_axes(plan, names(plan)[name])


def write(spec: Spec, files: Files) -> None:
    """Write the gains over random init as CSV and Markdown."""
    frame = build_gains(spec)
    write_table_files(frame, text_table(frame, spec), files)


def build_gains(spec: Spec) -> pd.DataFrame:
    """Return one row per cell and modality, with the columns `COLUMNS`.

    `gain` is in points of kNN top-1 accuracy: trained minus random init, averaged over tasks, as
    `paired_gain.measure` returns it. `status` is measured, scaled or, if a score file is missing,
    not-run.

    Raises:
        UserError: Both encoders of a row were not evaluated on the same samples.
    """
    return paired_gain.frame(
        (_record(spec, part) for part in spec["comparisons"]),
        COLUMNS,
        protocol=_PROTOCOL,
        scale=spec["scale"],
    )


def _record(spec: Spec, part: Mapping[str, Any]) -> paired_gain.Comparison:
    tasks = " ".join(task["task"] for task in part["tasks"])
    named = {name: part[name] for name in _NAMED}
    return {"study": spec["study"], **named, "tasks": tasks}, part["tasks"]


def text_table(frame: pd.DataFrame, spec: Spec) -> TextTable:
    """Return the gains as text, one row per cell and modality."""
    return TextTable(
        title=f"{_title(spec['study'])}{scale_mark(spec)}",
        header=("row", "modality", "pretrained on it", "tasks", *paired_gain.HEADER),
        rows=tuple(_text_row(record) for record in frame.to_dict("records")),
        notes=(
            "Gain in points of kNN top-1 accuracy over the same encoder before training, averaged "
            "over tasks.",
            paired_gain.interval_note(max(frame["n_seeds"], default=0)),
            *scale_notes(spec),
        ),
    )


def _text_row(record: Mapping[Any, Any]) -> tuple[str, ...]:
    trained = "yes" if record["pretrained_on"] else "no"
    named = (record["row"], record["modality"], trained, record["tasks"])
    return (*named, *paired_gain.gain_texts(record))


def _tasks_by_modality(plan: Plan, study: str) -> dict[str, list[Task]]:
    # Second splits are left out: they would count their dataset twice in the mean.
    found: dict[str, list[Task]] = {}
    for task in plan.grid.first_splits(study):
        found.setdefault(task.modality, []).append(task)
    return found


def _comparison(plan: Plan, seeds: Sequence[Cell], task: Task) -> dict[str, Any]:
    grid, paths = plan.grid, plan.paths
    # Variants that change only the training share one random encoder, and so one score file.
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
    tables=("csv", "md", "html"),
    write=write,
    shown="gains",
    axes=axes,
)
