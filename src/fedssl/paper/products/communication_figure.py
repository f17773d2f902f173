"""Draw communication: one bar per cell, coloured by what its clients send."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import pandas as pd

from fedssl.paper.names import NOT_FEDERATED
from fedssl.paper.palette import INK, TRANSMISSION_COLORS
from fedssl.paper.style import PAGE, SMALL, add_legend, mark_scaled

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_BAR_HEIGHT, _FRAME_HEIGHT = 0.17, 0.45  # inches
_TICKS = 4
_DOWN_HATCH = "/////"


def communication_figure(frame: pd.DataFrame, spec: Mapping[str, Any]) -> "Figure":
    """Return bars of MB per client and round, and of GB in total.

    `frame` is what `communication` returns.
    """
    from matplotlib.figure import Figure

    labels = [cell["label"] for cell in spec["cells"]]
    size = (PAGE, _BAR_HEIGHT * len(frame) + _FRAME_HEIGHT)
    figure = Figure(figsize=size, layout="constrained")
    each, total = figure.subplots(1, 2, sharey=True)
    _draw(each, frame, suffix="_per_client_round", unit=1e6)
    each.set(xlabel="MB per client and round", yticks=range(len(frame)), yticklabels=labels)
    # From bottom to top the limits decrease, so that the first cell is at the top.
    each.set_ylim(len(frame) - 0.4, -0.6)
    _draw(total, frame, suffix="", unit=1e9)
    total.set(xlabel="GB over all rounds and clients")
    _note_savings(each, frame)
    _add_legend(figure, frame)
    mark_scaled(figure, spec)
    return figure


def _draw(axes: "Axes", frame: pd.DataFrame, *, suffix: str, unit: float) -> None:
    """Draw the bytes up and, to the right of them and hatched, the bytes down."""
    up, down = (frame[f"bytes_{way}{suffix}"] / unit for way in ("up", "down"))
    colors = [TRANSMISSION_COLORS.get(kind, "none") for kind in frame["transmission"]]
    axes.barh(range(len(frame)), up, color=colors, height=0.7)
    axes.barh(
        *(range(len(frame)), down),
        left=up,
        color=colors,
        height=0.7,
        hatch=_DOWN_HATCH,
        edgecolor="white",
        linewidth=0,
    )
    axes.grid(visible=False, axis="y")
    # Leave room for the savings to the right. If nothing is sent, limits of 0 to 0 would warn.
    axes.set_xlim(0, 1.5 * float((up + down).max()) or 1)
    # The long labels of small numbers would run into each other.
    axes.locator_params(axis="x", nbins=_TICKS)


def _note_savings(axes: "Axes", frame: pd.DataFrame) -> None:
    """Write the saving of backbone-only next to its bar, or that nothing is sent."""
    for place, record in enumerate(frame.to_dict("records")):
        text = "" if pd.isna(record["saving_percent"]) else f"-{record['saving_percent']:.1f} %"
        if record["transmission"] == NOT_FEDERATED:
            text = f"0, {NOT_FEDERATED}"
        sent = record["bytes_up_per_client_round"] + record["bytes_down_per_client_round"]
        axes.annotate(
            text,
            (sent / 1e6, place),
            xytext=(3, 0),
            textcoords="offset points",
            va="center",
            fontsize=SMALL,
        )


def _add_legend(figure: "Figure", frame: pd.DataFrame) -> None:
    from matplotlib.patches import Patch

    # matplotlib would give the bars of all colours one entry in the legend.
    kinds = [kind for kind in TRANSMISSION_COLORS if kind in set(frame["transmission"])]
    handles = [Patch(color=TRANSMISSION_COLORS[kind], label=kind) for kind in kinds]
    handles += [
        Patch(facecolor=INK, label="up"),
        Patch(facecolor=INK, edgecolor="white", hatch=_DOWN_HATCH, label="down"),
    ]
    add_legend(figure, handles)
