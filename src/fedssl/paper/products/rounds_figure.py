"""The score of every task, round by round, and the rounds that FASSL selects."""

from __future__ import annotations

from collections.abc import Mapping
from textwrap import fill
from typing import TYPE_CHECKING, Any

import pandas as pd

from fedssl.files import atomic_write
from fedssl.grid.cell import AXES
from fedssl.paper.names import pretraining_name, word
from fedssl.paper.products.product import Axes as RowAxes
from fedssl.paper.products.product import Files, Product, Spec
from fedssl.paper.rows import base_first, by_axes
from fedssl.paper.style import (
    add_legend,
    add_title,
    aggregator_style,
    figure_style,
    label_rounds,
    save_figure,
)
from fedssl.paper.table_footers import EMPTY
from fedssl.paper.text_table import TextTable, scale_mark, scale_notes

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from fedssl.grid.cell import Cell
    from fedssl.grid.plan import Plan

NAMED = ("method", "aggregator", "variant")  # axes in the name of a row
KEYS = (*AXES, "seed", "round")  # first columns of the matrix, before the tasks
_PANEL_INCHES = (2.6, 2.1)
_TITLE_CHARACTERS = 28
_METRIC = "R@1"


def names(plan: Plan) -> dict[str, str]:
    """Return one figure per study whose rounds are scored."""
    return {f"{study}_rounds": study for study in plan.studies if _scored_cells(plan, study)}


def spec(plan: Plan, name: str) -> dict[str, Any]:
    """Return the scores of each cell's rounds on each task, and the names to print."""
    study = names(plan)[name]
    cells, tasks = _scored_cells(plan, study), plan.grid.tasks(study)
    return {
        "title": f"{study}: R@1 of the global model per round; stars: best round of the mean",
        **plan.grid.scale,
        "methods": {cell.method: word(cell.method) for cell in cells},
        "tasks": {task.task: task.title for task in tasks},
        "variants": sorted({cell.variant for cell in cells}, key=base_first),
        "curves": [
            {
                "cell": {**cell.axes, "seed": cell.seed},
                "line": pretraining_name(cell.axes, shown=("aggregator", "variant")),
                "task": task.task,
                "path": plan.paths.round_scores(cell, task.task),
            }
            for cell in cells
            for task in tasks
        ],
    }


def inputs(plan: Plan, name: str) -> dict[str, list[str]]:
    """Return the scores that the figure shows."""
    return {"scores": [curve["path"] for curve in spec(plan, name)["curves"]]}


def axes(plan: Plan, name: str) -> RowAxes:
    """Return the axes of each row of the table behind the figure."""
    cells = (seeds[0] for seeds in by_axes(plan.grid, names(plan)[name]))
    return {pretraining_name(cell.axes, shown=NAMED): cell.axes for cell in cells}


def write(spec: Spec, files: Files) -> None:
    """Write the round x task matrix as CSV."""
    with atomic_write(files["csv"]) as path:
        round_matrix(round_scores(spec)).round(4).to_csv(path, lineterminator="\n")


def draw(spec: Spec, files: Files) -> None:
    """Draw the score of every task per round."""
    with figure_style():
        save_figure(round_figure(round_scores(spec), spec), files)


def _scored_cells(plan: Plan, study: str) -> list[Cell]:
    scored = plan.grid.config["studies"][study].get("score_rounds", False)
    cells = plan.grid.select(study=study) if scored else []
    return [cell for cell in cells if plan.grid.keeps_rounds(cell)]


def round_scores(spec: Spec) -> pd.DataFrame:
    """Return R@1 in percent, one row per cell, task and kept round."""
    parts = [
        pd.read_csv(curve["path"])
        .query("metric == @_METRIC", local_dict={"_METRIC": _METRIC})
        .assign(**curve["cell"], task=curve["task"], line=curve["line"])
        for curve in spec["curves"]
    ]
    return pd.concat(parts, ignore_index=True)


def round_matrix(scores: pd.DataFrame) -> pd.DataFrame:
    """Return the round x task matrix, one row per cell and round."""
    matrix = scores.pivot(index=list(KEYS), columns="task", values="value")
    # `pivot` sorts the columns; the study's order is that of all other tables.
    return matrix[list(scores["task"].unique())]


def text_table(matrix: pd.DataFrame, spec: Spec) -> TextTable:
    """Return the means over seeds of the matrix in the CSV, one row per round."""
    tasks = [str(column) for column in matrix if column not in KEYS]
    cells = matrix.drop(columns="seed").groupby([*AXES, "round"], sort=False)
    means = cells.mean().reset_index().to_dict("records")
    seeds = matrix["seed"].nunique()
    scores = (f"{spec['tasks'][task]}, {_METRIC}, %" for task in tasks)
    return TextTable(
        # The text has no stars, so it needs only the first half of the figure's title.
        title=f"{spec['title'].split(';')[0]}{scale_mark(spec)}",
        header=("pretraining", "round", *scores),
        rows=tuple(_text_row(record, tasks, scale=spec["scale"]) for record in means),
        notes=(f"Mean over {seeds} seeds." if seeds > 1 else "One seed.", *scale_notes(spec)),
    )


def _text_row(record: Mapping[Any, Any], tasks: list[str], *, scale: str) -> tuple[str, ...]:
    dagger = "" if scale == "paper" else "†"
    scores = (EMPTY if pd.isna(record[task]) else f"{record[task]:.2f}{dagger}" for task in tasks)
    name = pretraining_name({axis: record[axis] for axis in NAMED}, shown=NAMED)
    return name, str(record["round"]), *scores


def round_figure(scores: pd.DataFrame, spec: Spec) -> Figure:
    """Return the score per round, one panel per method and task; call it in `figure_style`.

    Each aggregator and variant has a line: the mean over seeds, with their range as a band. A star
    marks the best round of the mean, which FASSL selects. The grey line is the random encoder.
    """
    from matplotlib.figure import Figure

    methods, tasks = list(scores["method"].unique()), list(scores["task"].unique())
    width, height = _PANEL_INCHES
    size = (max(width * len(tasks), 5.0), height * len(methods) + 1.3)
    figure = Figure(figsize=size, layout="constrained")
    # Tasks differ in difficulty, so the panels of a column share an axis and those of a row do not.
    panels = figure.subplots(len(methods), len(tasks), sharex=True, sharey="col", squeeze=False)
    for row, method in zip(panels, methods, strict=True):
        for axes, task in zip(row, tasks, strict=True):
            chosen = scores[(scores["method"] == method) & (scores["task"] == task)]
            _draw_panel(axes, chosen, variants=spec["variants"])
        row[0].set_ylabel(f"{spec['methods'][method]}\nR@1 (%)")
    for axes, task in zip(panels[0], tasks, strict=True):
        axes.set_title(fill(spec["tasks"][task], width=_TITLE_CHARACTERS))
    for axes in panels[-1]:
        label_rounds(axes)
    add_legend(figure, columns=max(2, round(size[0] / 1.5)))
    add_title(figure, spec, characters=int(size[0] * 12))
    return figure


def _draw_panel(axes: Axes, scores: pd.DataFrame, *, variants: list[str]) -> None:
    # Round 0 is the encoder before training, which all lines of a panel share.
    random = scores.loc[scores["round"] == 0, "value"].mean()
    axes.axhline(random, color="#999999", linewidth=1.0, zorder=0, label="random init")
    for line, own in scores.groupby("line", sort=False):
        first = own.iloc[0]
        style = aggregator_style(first["aggregator"], variants.index(first["variant"]))
        rounds = own.groupby("round")["value"].agg(["mean", "min", "max"])
        axes.plot(
            rounds.index,
            rounds["mean"],
            color=style.color,
            linestyle=style.linestyle,
            linewidth=1.1,
            label=str(line),
        )
        axes.fill_between(
            rounds.index, rounds["min"], rounds["max"], color=style.color, alpha=0.15, linewidth=0
        )
        trained = rounds.loc[rounds.index > 0, "mean"]
        axes.plot(trained.idxmax(), trained.max(), marker="*", color=style.color, markersize=7)


PRODUCT = Product(
    names=names,
    spec=spec,
    inputs=inputs,
    tables=("csv",),
    write=write,
    draw=draw,
    shown="rows",
    text_table=text_table,
    axes=axes,
    folder="figures",
)
