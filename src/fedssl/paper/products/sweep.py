"""Figures that draw tables: accuracy against the percentage of clients with both modalities."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from fedssl.errors import UserError
from fedssl.paper.intervals import read_with_intervals
from fedssl.paper.style import figure_style, figure_title, modality_style, save_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_PANEL_INCHES = (3.6, 2.8)
_LABELS = "abcdefghijklmnopqrstuvwxyz"
_DASHES = {"image": "solid", "audio": (0, (4, 1.5))}
_REFERENCE_DASHES = (0, (1, 1.5))
_NOTE = "bars: 95 % intervals; lines join neighbours of which both were run"


def write_sweep_figure(
    spec: Mapping[str, Any],
    *,
    tables: Sequence[str | Path],
    pdf: str | Path,
    png: str | Path,
    svg: str | Path,
) -> None:
    """Write a panel a table, a line a column: the mean over seeds, bars of its 95 % interval.

    A row that was not run has no point, and no line crosses it. Random init is a line of its own
    across the panel.
    """
    with figure_style():
        figure = sweep_figure(spec, [read_with_intervals(table) for table in tables])
        save_figure(figure, {"pdf": pdf, "png": png, "svg": svg})


def sweep_figure(spec: Mapping[str, Any], tables: Sequence[pd.DataFrame]) -> "Figure":
    """Return the figure of `write_sweep_figure`; call it inside `figure_style`.

    Raises:
        UserError: No row of a table was run.
    """
    from matplotlib.figure import Figure

    width, height = _PANEL_INCHES
    size = (width * len(tables), height + 1.3)
    figure = Figure(figsize=size, layout="constrained")
    panels = figure.subplots(1, len(tables), sharey=True, squeeze=False)[0]
    for place, (axes, panel, table) in enumerate(zip(panels, spec["panels"], tables, strict=True)):
        for line in spec["lines"]:
            _draw_line(axes, panel, table[table["column"] == line["column"]], line=line)
        axes.set_title(f"({_LABELS[place]}) {panel['title']}")
        axes.set(xlabel=panel["x"], xticks=sorted(panel["rows"].values()))
    panels[0].set_ylabel("kNN top-1 accuracy, %")
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", frameon=False)
    title = figure_title(spec, characters=44 * len(tables), notes=[_NOTE])
    figure.suptitle(title, fontsize="medium")
    return figure


def _draw_line(
    axes: "Axes", panel: Mapping[str, Any], table: pd.DataFrame, *, line: Mapping[str, Any]
) -> None:
    style = modality_style(line["modality"])
    found = table.set_index("row")[["measured", "half_width"]]
    points = found.reindex(list(panel["rows"])).assign(x=list(panel["rows"].values()))
    points = points.sort_values("x")
    if points["measured"].isna().all():
        raise UserError(f"{panel['title']}: no row of {line['column']} was run; nothing to draw.")
    axes.plot(
        points["x"],
        points["measured"],  # NaN where not run: no point, and the line has a gap
        color=style.color,
        marker=style.marker,
        markersize=4,
        linestyle=_DASHES[line["modality"]],
        linewidth=1.3,
        label=f"{line['modality']} tasks: {line['tasks']}",
    )
    axes.errorbar(
        points["x"],
        points["measured"],
        points["half_width"],
        fmt="none",
        ecolor=style.color,
        capsize=2.5,
        elinewidth=1.0,
    )
    for name, value in found["measured"].reindex(panel["references"]).dropna().items():
        axes.axhline(
            value,
            color=style.color,
            linestyle=_REFERENCE_DASHES,
            linewidth=1.0,
            label=f"{line['modality']} tasks: {name}",
        )
