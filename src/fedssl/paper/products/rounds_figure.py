"""The score of every task, round by round, and the rounds that FASSL selects."""

from __future__ import annotations

from collections.abc import Mapping
from statistics import mean
from textwrap import fill
from typing import TYPE_CHECKING, Any, Literal

import pandas as pd

from fedssl.evaluation.statistics import accuracy_interval
from fedssl.files import atomic_write
from fedssl.frames import read_csv
from fedssl.grid.cell import AXES
from fedssl.paper.names import pretraining_name, word
from fedssl.paper.palette import REFERENCE, aggregator_style
from fedssl.paper.products.product import Axes as RowAxes
from fedssl.paper.products.product import Files, Product, Spec
from fedssl.paper.rows import base_first, by_axes
from fedssl.paper.style import COLUMN, PAGE, SMALL, Drawing, add_legend, label_rounds, mark_scaled
from fedssl.paper.table_footers import EMPTY
from fedssl.paper.text_table import TextTable, scale_mark, scale_notes

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from fedssl.grid.cell import Cell
    from fedssl.grid.plan import Plan

NAMED = ("method", "aggregator", "variant")  # axes in the name of a row
KEYS = (*AXES, "seed", "round")  # first columns of the matrix, before the tasks
_PANEL_HEIGHT = 1.45  # inches
_TITLE_CHARACTERS_PER_INCH = 13
_CAPTION = (
    "{study}: R@1 of the global model per round; mean over seeds; bars: 95 % interval of the best "
    "round over samples and seeds; a star marks the best round, and is filled if the last round's "
    "mean is below the interval; grey: random init"
)
_METRIC = "R@1"


def names(plan: Plan) -> dict[str, str]:
    """Return one figure per study whose rounds are scored."""
    return {f"{study}_rounds": study for study in plan.studies if scored_cells(plan, study)}


def spec(plan: Plan, name: str) -> dict[str, Any]:
    """Return the scores of each cell's rounds on each task, and the names to print."""
    study = names(plan)[name]
    cells, tasks = scored_cells(plan, study), plan.grid.tasks(study)
    return {
        "title": _CAPTION.format(study=study),
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


def scored_cells(plan: Plan, study: str) -> list[Cell]:
    """Return the cells of a study that keep rounds, if the study scores them."""
    scored = plan.grid.config["studies"][study].get("score_rounds", False)
    cells = plan.grid.select(study=study) if scored else []
    return [cell for cell in cells if plan.grid.keeps_rounds(cell)]


def round_scores(spec: Spec) -> pd.DataFrame:
    """Return R@1 in percent and `n_eval`, one row per cell, task and kept round."""
    parts = [
        read_csv(curve["path"])
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
        # The text has no bars and stars, so it needs only the start of the figure's title.
        title=f"{spec['title'].split(',')[0]}{scale_mark(spec)}",
        header=("pretraining", "round", *scores),
        rows=tuple(_text_row(record, tasks, scale=spec["scale"]) for record in means),
        notes=(f"Mean over {seeds} seeds." if seeds > 1 else "One seed.", *scale_notes(spec)),
    )


def _text_row(record: Mapping[Any, Any], tasks: list[str], *, scale: str) -> tuple[str, ...]:
    dagger = "" if scale == "paper" else "†"
    scores = (EMPTY if pd.isna(record[task]) else f"{record[task]:.2f}{dagger}" for task in tasks)
    name = pretraining_name({axis: record[axis] for axis in NAMED}, shown=NAMED)
    return name, str(record["round"]), *scores


def interval(own: pd.DataFrame) -> pd.DataFrame:
    """Return mean, low and high of each round, over the samples and seeds of one cell and task."""
    records = []
    for number, seeds in own.groupby("round"):
        values, n_eval = seeds["value"].tolist(), int(seeds["n_eval"].iloc[0])
        low, high = accuracy_interval([mean(values)], [n_eval], averages_over_seeds=values)
        records.append({"round": number, "mean": mean(values), "low": low, "high": high})
    return pd.DataFrame(records).set_index("round")


def round_figure(spec: Spec) -> Figure:
    """Return the score per round, one panel per method and task.

    Each aggregator and variant has a line with a mark at each scored round, and a bar and a star at
    its best trained round, which FASSL selects.
    """
    from matplotlib.figure import Figure

    scores = round_scores(spec)
    methods, tasks = list(scores["method"].unique()), list(scores["task"].unique())
    # Tasks in rows if there are few, so that a panel is as wide as a column.
    across, down = (methods, tasks) if len(tasks) == 1 else (tasks, methods)
    width = PAGE if len(across) > 1 else COLUMN
    figure = Figure(figsize=(width, _PANEL_HEIGHT * len(down) + 0.2), layout="constrained")
    # Tasks differ in difficulty, so only panels of one task share an axis.
    share: Literal["row", "col"] = "row" if len(tasks) == 1 else "col"
    panels = figure.subplots(len(down), len(across), sharex=True, sharey=share, squeeze=False)
    characters = int(_TITLE_CHARACTERS_PER_INCH * width / len(across))
    for place, (row, first) in enumerate(zip(panels, down, strict=True)):
        for axes, second in zip(row, across, strict=True):
            method, task = (second, first) if len(tasks) == 1 else (first, second)
            chosen = scores[(scores["method"] == method) & (scores["task"] == task)]
            _draw_panel(axes, chosen, variants=spec["variants"])
            name = spec["methods"][method] if len(tasks) == 1 else spec["tasks"][task]
            if place == 0:
                axes.set_title(fill(name, width=characters), fontsize=SMALL)
        name = spec["tasks"][first] if len(tasks) == 1 else spec["methods"][first]
        row[0].set_ylabel(f"{name}\nR@1, %" if len(tasks) > 1 else f"R@1 on {name}, %")
    for axes in panels[-1]:
        axes.set_xlabel("round")
        label_rounds(axes, most=4)
    add_legend(figure)
    mark_scaled(figure, spec)
    return figure


def _draw_panel(axes: Axes, scores: pd.DataFrame, *, variants: list[str]) -> None:
    # Round 0 is the encoder before training, which all lines of a panel share.
    random = scores.loc[scores["round"] == 0, "value"].mean()
    axes.axhline(random, color=REFERENCE, linewidth=1.0, zorder=0, label="random init")
    lines = scores.groupby("line", sort=False)
    for place, (line, own) in enumerate(lines):
        first = own.iloc[0]
        style = aggregator_style(first["aggregator"], variants.index(first["variant"]))
        rounds = interval(own)
        axes.plot(
            rounds.index,
            rounds["mean"],
            color=style.color,
            linestyle=style.linestyle,
            marker=style.marker,
            label=str(line),
        )
        # Bars of lines with one best round are next to each other.
        step = (scores["round"].max() or 1) / 60
        _draw_best(axes, rounds, color=style.color, offset=step * (place - (len(lines) - 1) / 2))


def _draw_best(axes: Axes, rounds: pd.DataFrame, *, color: str, offset: float) -> None:
    trained = rounds[rounds.index > 0]
    number = trained["mean"].idxmax()
    best = trained.loc[number]
    is_clear = trained["mean"].iloc[-1] < best["low"]
    axes.errorbar(
        *(int(str(number)) + offset, best["mean"]),
        yerr=[[best["mean"] - best["low"]], [best["high"] - best["mean"]]],
        color=color,
        marker="*",
        markersize=7,
        markerfacecolor=color if is_clear else "white",
        markeredgecolor=color,
        markeredgewidth=0.7,
        elinewidth=0.9,
        capsize=1.5,
    )


PRODUCT = Product(
    names=names,
    spec=spec,
    inputs=inputs,
    tables=("csv",),
    write=write,
    draw=Drawing(round_figure),
    shown="rows",
    text_table=text_table,
    axes=axes,
    folder="figures",
)
