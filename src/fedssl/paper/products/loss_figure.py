"""The training loss of each cell, round by round."""

from __future__ import annotations

from collections.abc import Mapping
from math import ceil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from fedssl.errors import UserError
from fedssl.grid.splits import MODALITIES
from fedssl.paper.names import word
from fedssl.paper.products.product import Files, Product, Spec
from fedssl.paper.rows import base_first, label
from fedssl.paper.style import (
    LineStyle,
    add_legend,
    add_title,
    aggregator_style,
    figure_style,
    label_rounds,
    save_figure,
    split_style,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from fedssl.grid.plan import Plan

_ROUND_COLUMNS = {"round", "modality", "samples", "steps", "loss"}
_PANEL_INCHES = (3.3, 2.6)
_MARKERS = "os^Dv"
_MARKED_ROUNDS = 10
_LEGEND_CHARACTERS = 44  # that fit below one panel
_LINE_CHARACTERS = 7  # as wide as the line before a label, and the gap after it
_LEGEND_LINE_INCHES = 0.2


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
        "title": f"{study}: training loss per round",
        **plan.grid.scale,
        "curves": [
            {
                "label": label(plan.grid, cell, panel="method"),
                "method": cell.method,
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


def draw(spec: Spec, files: Files) -> None:
    """Draw the loss per round."""
    with figure_style():
        save_figure(loss_figure(spec), files)


def round_losses(path: str | Path) -> pd.DataFrame:
    """Return the columns round, modality and loss: the mean over clients, weighted by samples.

    The loss of a round in which a client diverged is NaN.

    Raises:
        UserError: `path` lacks a column, or no client took a step.
    """
    frame = pd.read_csv(path)
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
    rounds = frame.assign(loss=frame["loss"] * frame["samples"]).groupby(["round", "modality"])
    sums, complete = rounds[["loss", "samples"]].sum(), rounds["loss"].count() == rounds.size()
    # pandas skips NaN in sums, which would hide that a client diverged.
    return (sums["loss"] / sums["samples"]).where(complete).rename("loss").reset_index()


def loss_figure(spec: Spec) -> Figure:
    """Return the loss per round, one panel per method and modality; call it in `figure_style`.

    Each label has a line. Curves that share a label are seeds: the line is their mean, and the band
    their range.
    """
    from matplotlib.figure import Figure

    styles = {curve["label"]: _style(curve) for curve in spec["curves"]}
    curves = [
        round_losses(curve["path"]).assign(label=curve["label"], method=curve["method"])
        for curve in spec["curves"]
    ]
    losses = pd.concat(curves, ignore_index=True)
    modalities = [name for name in MODALITIES if name in set(losses["modality"])]
    methods = list(losses["method"].unique())
    entry = int(losses["label"].str.len().max()) + _LINE_CHARACTERS
    columns = max(1, _LEGEND_CHARACTERS * len(modalities) // entry)
    # The constrained layout takes the room for the legend from the panels, so add it to the height.
    legend = ceil(losses["label"].nunique() / columns) * _LEGEND_LINE_INCHES
    width, height = _PANEL_INCHES
    size = (width * len(modalities), height * len(methods) + 0.7 + legend)
    figure = Figure(figsize=size, layout="constrained")
    # Losses of different methods are not comparable, so only the panels of a row share an axis.
    panels = figure.subplots(len(methods), len(modalities), sharey="row", squeeze=False)
    for row, method in zip(panels, methods, strict=True):
        for axes, modality in zip(row, modalities, strict=True):
            own = losses[losses["method"] == method]
            if modality not in set(own["modality"]):
                axes.set_axis_off()
                continue
            _draw_panel(axes, own, styles, modality=modality)
            axes.set_title(modality if len(methods) == 1 else f"{word(method)}, {modality}")
    add_legend(figure, columns=columns)
    add_title(figure, spec, characters=38 * len(modalities))
    return figure


def _style(curve: Mapping[str, Any]) -> LineStyle:
    if "split" in curve:
        return split_style(curve["split"])
    return aggregator_style(curve["aggregator"], curve["variant"])


def _draw_panel(
    axes: Axes, losses: pd.DataFrame, styles: Mapping[str, LineStyle], *, modality: str
) -> None:
    import seaborn as sns

    for name, lines in losses.groupby("label", sort=False):
        label, style = str(name), styles[str(name)]
        sns.lineplot(
            data=lines[lines["modality"] == modality],
            x="round",
            y="loss",
            errorbar=("pi", 100),  # the 100th percentile interval is the range of the seeds
            color=style.color,
            linestyle=style.linestyle,
            marker=_marker(label, styles),
            markevery=max(1, losses["round"].nunique() // _MARKED_ROUNDS),
            label=label,
            legend=False,
            ax=axes,
        )
    axes.set_ylabel("loss (mean over clients)")
    label_rounds(axes)


def _marker(label: str, styles: Mapping[str, LineStyle]) -> str:
    """Return the marker that tells a line from others of the same colour."""
    same = [name for name in styles if styles[name].color == styles[label].color]
    return _MARKERS[same.index(label) % len(_MARKERS)]


PRODUCT = Product(names=names, spec=spec, inputs=inputs, draw=draw, folder="figures")
