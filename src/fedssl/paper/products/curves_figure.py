"""Score and loss of each cell, round by round, in a panel of its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import ceil
from typing import TYPE_CHECKING, Any

import pandas as pd

from fedssl.files import read_json
from fedssl.frames import read_csv
from fedssl.grid.transmission import parse_name
from fedssl.paper.names import pretraining_name, word
from fedssl.paper.palette import INK, REFERENCE, LineStyle, aggregator_style
from fedssl.paper.products.loss_figure import mean_and_band
from fedssl.paper.products.product import Product, Spec
from fedssl.paper.products.rounds_figure import interval, scored_cells
from fedssl.paper.rows import base_first
from fedssl.paper.style import (
    COLUMN,
    PAGE,
    SMALL,
    Drawing,
    add_legend,
    fill_band,
    label_edges,
    label_rounds,
    mark_scaled,
)

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from fedssl.grid.cell import Cell
    from fedssl.grid.plan import Plan
    from fedssl.grid.tasks import Task

_ROW_HEIGHT = 0.85  # inches, of the scores and of the losses each
_MOST_ACROSS = 5
_METRIC = "R@1"
_CHOSEN = {"best-round": "*", "held-out-round": "d"}
_NAMES = {
    "best-round": "best round of a seed",
    "held-out-round": "round chosen on half of the samples",
}
_CAPTION = (
    "{study}, {task}: R@1 and training loss per round; bands: 95 % interval of R@1 over samples "
    "and seeds, and 10th to 90th percentile of the clients' losses; a panel for each method and "
    "aggregator"
)


def names(plan: Plan) -> dict[str, str]:
    """Return one figure per study whose rounds are scored, and task."""
    return {name: study for name, (study, _) in _figures(plan).items()}


def _figures(plan: Plan) -> dict[str, tuple[str, Task]]:
    return {
        f"{study}_curves_{task.task}": (study, task)
        for study in plan.studies
        if scored_cells(plan, study)
        for task in plan.grid.tasks(study)
    }


def spec(plan: Plan, name: str) -> dict[str, Any]:
    """Return the scores, losses and chosen rounds of each cell, by panel."""
    study, task = _figures(plan)[name]
    cells = scored_cells(plan, study)
    variants = sorted({cell.variant for cell in cells}, key=base_first)
    return {
        "title": _CAPTION.format(study=study, task=task.title),
        **plan.grid.scale,
        "modality": task.modality,
        "curves": [
            {
                "panel": f"{word(cell.method)} {word(parse_name(cell.aggregator)[0])}",
                "line": pretraining_name(cell.axes, shown=("aggregator", "variant")),
                "aggregator": cell.aggregator,
                "variant": variants.index(cell.variant),
                "form": _form(cell),
                "scores": plan.paths.round_scores(cell, task.task),
                "rounds": plan.paths.rounds(cell),
                "chosen": {kind: plan.paths.metric(cell, task.task, kind) for kind in _CHOSEN},
            }
            for cell in cells
        ],
    }


def _form(cell: Cell) -> str:
    """Return what distinguishes the lines of a panel: what clients send, and the variant."""
    sent = "backbone only" if parse_name(cell.aggregator)[1] == "backbone" else "all sent"
    return sent if cell.variant == "base" else word(cell.variant)


def inputs(plan: Plan, name: str) -> dict[str, list[str]]:
    """Return the scores and histories of the cells."""
    curves = spec(plan, name)["curves"]
    return {
        "scores": [curve["scores"] for curve in curves],
        "rounds": [curve["rounds"] for curve in curves],
        "chosen": [path for curve in curves for path in curve["chosen"].values()],
    }


def curves_figure(spec: Spec) -> Figure:
    """Return a panel of scores per method and aggregator, and below it one of losses."""
    from matplotlib.figure import Figure

    panels: dict[str, dict[str, list[Mapping[str, Any]]]] = {}
    for curve in spec["curves"]:
        panels.setdefault(curve["panel"], {}).setdefault(curve["line"], []).append(curve)
    across = min(_MOST_ACROSS, len(panels))
    blocks = ceil(len(panels) / across)
    size = (PAGE if across > 2 else COLUMN, 2 * _ROW_HEIGHT * blocks + 0.2)
    figure = Figure(figsize=size, layout="constrained")
    grid = figure.subplots(2 * blocks, across, sharex=True, squeeze=False)
    for axes in grid.flat:
        axes.set_visible(False)
    for place, (title, lines) in enumerate(panels.items()):
        block, column = divmod(place, across)
        above, below = grid[2 * block][column], grid[2 * block + 1][column]
        above.sharey(grid[0][0])  # scores of one task can be compared, losses of methods cannot
        above.set_title(title, fontsize=SMALL)
        for same in lines.values():
            _draw_line(above, below, same, modality=spec["modality"])
        for axes, name in ((above, f"{_METRIC}, %"), (below, "loss")):
            axes.set_visible(True)
            axes.locator_params(axis="y", nbins=4)
            label_rounds(axes, most=3)
            x = "round" if axes is below else ""
            label_edges(axes, place=place, panels=len(panels), across=across, x=x, y=name)
    figure.align_ylabels()
    add_legend(figure, _handles(spec))
    mark_scaled(figure, spec)
    return figure


def _draw_line(
    above: Axes, below: Axes, seeds: Sequence[Mapping[str, Any]], *, modality: str
) -> None:
    style = aggregator_style(seeds[0]["aggregator"], seeds[0]["variant"])
    tables = [read_csv(curve["scores"]) for curve in seeds]
    scores = interval(pd.concat([table[table["metric"] == _METRIC] for table in tables]))
    _draw_band(above, scores.reset_index(), style, mean="mean")
    if 0 in scores.index:
        above.axhline(scores["mean"][0], color=REFERENCE, linewidth=0.8, zorder=0)
    for kind, marker in _CHOSEN.items():
        paths = [curve["chosen"][kind] for curve in seeds]
        rounds = [number for path in paths for number in read_json(path)["rounds"]]
        above.plot(
            rounds,
            scores["mean"].reindex(rounds),
            linestyle="none",
            marker=marker,
            markersize=6.5 if marker == "*" else 3.5,
            markerfacecolor="white",
            markeredgecolor=style.color,
            markeredgewidth=0.8,
        )
    losses = mean_and_band([curve["rounds"] for curve in seeds])
    _draw_band(below, losses[losses["modality"] == modality], style, mean="loss")


def _draw_band(axes: Axes, values: pd.DataFrame, style: LineStyle, *, mean: str) -> None:
    axes.plot(values["round"], values[mean], color=style.color, linestyle=style.linestyle)
    fill_band(axes, values, color=style.color)


def _handles(spec: Spec) -> list[Artist]:
    from matplotlib.lines import Line2D

    # The titles name the aggregators, so the legend has no colours.
    forms = {
        curve["form"]: aggregator_style(curve["aggregator"], curve["variant"])
        for curve in spec["curves"]
    }
    lines = [
        Line2D([], [], color=INK, linestyle=style.linestyle, label=form)
        for form, style in forms.items()
    ]
    marks = [
        Line2D(
            [],
            [],
            linestyle="none",
            marker=marker,
            markersize=6.5 if marker == "*" else 3.5,
            markerfacecolor="white",
            markeredgecolor=INK,
            label=_NAMES[kind],
        )
        for kind, marker in _CHOSEN.items()
    ]
    return [*lines, *marks, Line2D([], [], color=REFERENCE, linewidth=0.8, label="random init")]


PRODUCT = Product(
    names=names, spec=spec, inputs=inputs, draw=Drawing(curves_figure), folder="figures"
)
