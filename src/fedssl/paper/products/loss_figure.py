"""The training loss of each cell, round by round."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import ceil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from fedssl.errors import UserError
from fedssl.frames import read_csv
from fedssl.grid.splits import MODALITIES
from fedssl.paper.names import word
from fedssl.paper.palette import LineStyle, aggregator_style, split_style
from fedssl.paper.products.product import Product, Spec
from fedssl.paper.rows import base_first, label
from fedssl.paper.style import (
    COLUMN,
    PAGE,
    Drawing,
    add_legend,
    fill_band,
    label_edges,
    label_rounds,
    mark_scaled,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from fedssl.grid.plan import Plan

_ROUND_COLUMNS = {"round", "modality", "samples", "steps", "loss"}
_PANEL_HEIGHT = 1.6  # inches
_MARKERS = "os^DvP"
_MARKED_ROUNDS = 8
_MOST_ACROSS = 3  # panels next to each other
# Shares of the clients of a round that lie below each end of the band.
_BAND = {"low": 0.1, "high": 0.9}
_CAPTION = (
    "{study}: training loss per round; mean over clients, weighted by samples; band: 10th to 90th "
    "percentile of the clients of all seeds"
)
_IN_TITLE = ("method", "arch")  # axes that the title of a panel names


def names(plan: Plan) -> dict[str, str]:
    """Return one figure per study."""
    return {f"{study}_loss": study for study in plan.studies}


def spec(plan: Plan, name: str) -> dict[str, Any]:
    """Return the history, name and style of each cell of a study."""
    study = names(plan)[name]
    cells = plan.grid.select(study=study)
    variants = sorted({cell.variant for cell in cells}, key=base_first)
    # A study compares either modality splits or aggregators; colours show what it compares.
    several = len({cell.split for cell in cells}) > 1
    return {
        "title": _CAPTION.format(study=study),
        **plan.grid.scale,
        "curves": [
            {
                "label": label(plan.grid, cell, panel=_IN_TITLE) or word(cell.split),
                **{axis: getattr(cell, axis) for axis in _IN_TITLE},
                "path": plan.paths.rounds(cell),
                **(
                    {"split": cell.split}
                    if several
                    else {"aggregator": cell.aggregator, "variant": variants.index(cell.variant)}
                ),
            }
            for cell in cells
        ],
    }


def inputs(plan: Plan, name: str) -> dict[str, list[str]]:
    """Return the history of each cell of a study."""
    return {"rounds": [curve["path"] for curve in spec(plan, name)["curves"]]}


def round_losses(path: str | Path) -> pd.DataFrame:
    """Return the columns round, modality and loss: the mean over clients, weighted by samples.

    The loss of a round in which a client diverged is NaN.

    Raises:
        UserError: `path` lacks a column, or no client took a step.
    """
    frame = _history(path)
    rounds = frame.assign(loss=frame["loss"] * frame["samples"]).groupby(["round", "modality"])
    sums, complete = rounds[["loss", "samples"]].sum(), rounds["loss"].count() == rounds.size()
    # pandas skips NaN in sums, which would hide that a client diverged.
    return (sums["loss"] / sums["samples"]).where(complete).rename("loss").reset_index()


def _history(path: str | Path) -> pd.DataFrame:
    """Return the rows of the clients that took a step."""
    frame = read_csv(path)
    if missing := _ROUND_COLUMNS - set(frame.columns):
        raise UserError(
            f"{path} lacks the columns {', '.join(sorted(missing))}; pretrain its cell again."
        )
    if unknown := set(frame["modality"]) - set(MODALITIES):
        raise UserError(
            f"{path} has modality {min(unknown)}; it must be {' or '.join(MODALITIES)}."
        )
    # A client that took no step has no loss.
    frame = frame[frame["steps"] > 0]
    if frame.empty:
        raise UserError(f"{path} has no round in which a client took a step; nothing to draw.")
    return frame


def mean_and_band(paths: Sequence[str | Path]) -> pd.DataFrame:
    """Return round, modality, loss, low and high over the clients of all seeds of a cell.

    The loss is the mean over seeds of `round_losses`; low and high are percentiles of the clients.
    """
    means = pd.concat([round_losses(path) for path in paths])
    loss = means.groupby(["round", "modality"])["loss"].mean()
    clients = pd.concat([_history(path) for path in paths]).groupby(["round", "modality"])["loss"]
    band = {name: clients.quantile(share) for name, share in _BAND.items()}
    return pd.DataFrame({"loss": loss, **band}).reset_index()


def loss_figure(spec: Spec) -> Figure:
    """Return the loss per round, one panel per encoder, method and modality.

    Each label has a line. Curves of one panel that share a label are seeds.
    """
    from matplotlib.figure import Figure

    panels = _panels(spec["curves"])
    across = 2 if len({title for title, _ in panels}) < len(panels) else _MOST_ACROSS
    across = min(across, len(panels))
    rows = ceil(len(panels) / across)
    size = (PAGE if across > 1 else COLUMN, _PANEL_HEIGHT * rows)
    figure = Figure(figsize=size, layout="constrained")
    # Losses of different methods are not comparable, so panels share no axis.
    grid = figure.subplots(rows, across, squeeze=False)
    styles = {curve["label"]: _style(curve) for curve in spec["curves"]}
    for axes, ((title, modality), lines) in zip(grid.flat, panels.items(), strict=False):
        axes.set_title(", ".join(filter(None, (title, modality))))
        for name, (style, losses) in lines.items():
            _draw_line(axes, losses, style, label=name, marker=_marker(name, styles))
        label_rounds(axes)
    count = len(panels)
    for place, axes in enumerate(grid.flat):
        axes.set_visible(place < count)
        label_edges(axes, place=place, panels=count, across=across, x="round", y="training loss")
    add_legend(figure)
    mark_scaled(figure, spec)
    return figure


def _panels(
    curves: Sequence[Mapping[str, Any]],
) -> dict[tuple[str, str], dict[str, tuple[LineStyle, pd.DataFrame]]]:
    """Return (encoder and method, modality) -> label -> style and losses.

    A title names only what differs between panels.
    """
    varying = [axis for axis in _IN_TITLE if len({curve[axis] for curve in curves}) > 1]
    seeds: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
    for curve in curves:
        title = " ".join(word(curve[axis]) for axis in varying)
        seeds.setdefault((title, curve["label"]), []).append(curve)
    panels: dict[tuple[str, str], dict[str, tuple[LineStyle, pd.DataFrame]]] = {}
    for (title, name), same in seeds.items():
        losses = mean_and_band([curve["path"] for curve in same])
        for modality in MODALITIES:
            own = losses[losses["modality"] == modality]
            if len(own):
                panels.setdefault((title, modality), {})[name] = (_style(same[0]), own)
    # Panels of one encoder and method are next to each other, images first.
    titles = list(dict.fromkeys(title for title, _ in panels))
    order = [(title, modality) for title in titles for modality in MODALITIES]
    return {key: panels[key] for key in order if key in panels}


def _style(curve: Mapping[str, Any]) -> LineStyle:
    if "split" in curve:
        return split_style(curve["split"])
    return aggregator_style(curve["aggregator"], curve["variant"])


def _draw_line(
    axes: Axes, losses: pd.DataFrame, style: LineStyle, *, label: str, marker: str
) -> None:
    axes.plot(
        losses["round"],
        losses["loss"],
        color=style.color,
        linestyle=style.linestyle,
        marker=marker,
        markevery=max(1, len(losses) // _MARKED_ROUNDS),
        label=label,
    )
    fill_band(axes, losses, color=style.color)


def _marker(label: str, styles: Mapping[str, LineStyle]) -> str:
    """Return the marker of a line's style, or another if an earlier line has the same style."""
    style = styles[label]
    same = [name for name, other in styles.items() if other == style]
    place = _MARKERS.find(style.marker) + same.index(label)
    return _MARKERS[place % len(_MARKERS)]


PRODUCT = Product(
    names=names, spec=spec, inputs=inputs, draw=Drawing(loss_figure), folder="figures"
)
