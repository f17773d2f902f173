"""FASSL's view of a training: every task's score, round by round, and the rounds chosen."""

from collections.abc import Mapping
from pathlib import Path
from textwrap import fill
from typing import TYPE_CHECKING, Any

import pandas as pd

from fedssl.files import atomic_write
from fedssl.grid.cell import AXES
from fedssl.paper.markup import Grid, scale_mark, scale_notes
from fedssl.paper.names import pretraining_name
from fedssl.paper.products.loss import add_legend
from fedssl.paper.style import aggregator_style, figure_style, figure_title, save_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

NAMED = ("method", "aggregator", "variant")  # in the name of a row
KEYS = (*AXES, "seed", "round")  # of the matrix; the tasks follow
_PANEL_INCHES = (2.6, 2.1)
_TITLE_CHARACTERS = 28
_METRIC = "R@1"


def write_round_figure(
    spec: Mapping[str, Any], *, matrix: str | Path, figure: Mapping[str, str | Path]
) -> None:
    """Write the score per round as a figure, and as CSV the round x task matrix behind it.

    The figure has a row a method and a column a task, a line an aggregator and variant: the mean
    over seeds, with their range as a band. A star is the round that FASSL chooses, the best of
    the mean line; the grey line is the random encoder, round 0.
    """
    scores = round_scores(spec)
    with atomic_write(matrix) as path:
        round_matrix(scores).round(4).to_csv(path, lineterminator="\n")
    with figure_style():
        save_figure(round_figure(scores, spec), figure)


def round_scores(spec: Mapping[str, Any]) -> pd.DataFrame:
    """Return R@1 in percent of every cell, task and kept round, one row each."""
    parts = [
        pd.read_csv(curve["path"])
        .query("metric == @_METRIC", local_dict={"_METRIC": _METRIC})
        .assign(**curve["cell"], task=curve["task"], line=curve["line"])
        for curve in spec["curves"]
    ]
    return pd.concat(parts, ignore_index=True)


def round_matrix(scores: pd.DataFrame) -> pd.DataFrame:
    """Return the round x task matrix: a row a cell and round, a column a task."""
    matrix = scores.pivot(index=list(KEYS), columns="task", values="value")
    return matrix[list(scores["task"].unique())]


def rounds_grid(matrix: pd.DataFrame, spec: Mapping[str, Any]) -> Grid:
    """Return the matrix, as its CSV has it, as a table of means over seeds: a row a round."""
    tasks = [str(column) for column in matrix if column not in KEYS]
    cells = matrix.drop(columns="seed").groupby([*AXES, "round"], sort=False)
    means = cells.mean().reset_index().to_dict("records")
    seeds = matrix["seed"].nunique()
    scores = (f"{spec['tasks'][task]}, {_METRIC}, %" for task in tasks)
    return Grid(
        title=f"{spec['title'].split(';')[0]}{scale_mark(spec)}",
        header=("pretraining", "round", *scores),
        rows=tuple(_grid_row(record, tasks, scale=spec["scale"]) for record in means),
        footer=(),
        notes=(f"Mean over {seeds} seeds." if seeds > 1 else "One seed.", *scale_notes(spec)),
    )


def _grid_row(record: Mapping[Any, Any], tasks: list[str], *, scale: str) -> tuple[str, ...]:
    dagger = "" if scale == "paper" else "†"
    scores = ("—" if pd.isna(record[task]) else f"{record[task]:.2f}{dagger}" for task in tasks)
    name = pretraining_name({axis: record[axis] for axis in NAMED}, shown=NAMED)
    return name, str(record["round"]), *scores


def round_figure(scores: pd.DataFrame, spec: Mapping[str, Any]) -> "Figure":
    """Return the figure of `write_round_figure`; call it inside `figure_style`."""
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    methods, tasks = list(scores["method"].unique()), list(scores["task"].unique())
    width, height = _PANEL_INCHES
    size = (max(width * len(tasks), 5.0), height * len(methods) + 1.3)
    figure = Figure(figsize=size, layout="constrained")
    panels = figure.subplots(len(methods), len(tasks), sharex=True, sharey="col", squeeze=False)
    for row, method in zip(panels, methods, strict=True):
        for axes, task in zip(row, tasks, strict=True):
            chosen = scores[(scores["method"] == method) & (scores["task"] == task)]
            _draw_panel(axes, chosen, variants=spec["variants"])
        row[0].set_ylabel(f"{spec['methods'][method]}\nR@1 (%)")
    for axes, task in zip(panels[0], tasks, strict=True):
        axes.set_title(fill(spec["tasks"][task], width=_TITLE_CHARACTERS))
    for axes in panels[-1]:
        axes.set_xlabel("round")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, steps=[1, 2, 5, 10]))
    add_legend(figure, columns=max(2, round(size[0] / 1.5)))
    figure.suptitle(figure_title(spec, characters=int(size[0] * 12)), fontsize="medium")
    return figure


def _draw_panel(axes: "Axes", scores: pd.DataFrame, *, variants: list[str]) -> None:
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
