"""Figures of t-SNE maps: the features of the same samples from several encoders."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd

from fedssl.frames import read_csv, read_parquet
from fedssl.paper import map_panels
from fedssl.paper.palette import PointStyle, dataset_styles
from fedssl.paper.products.product import Product, Spec
from fedssl.paper.style import (
    COLUMN,
    PAGE,
    PANEL_LETTERS,
    SMALL,
    Drawing,
    add_legend,
    mark_scaled,
)
from fedssl.paper.text_table import table_name

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from fedssl.grid.plan import Plan

_CAPTION_INCHES = 0.62  # title of a panel, and its silhouettes
_QUOTED = ("by dataset", "by modality")
_TURNS = 10
_LARGEST_POINT, _INK = 12.0, 6000.0  # square points: of one sample, and of all in a panel


def spec(plan: Plan, name: str) -> dict[str, Any]:
    """Return the panels of a figure, and the table of its silhouettes."""
    own = map_panels.figure_spec(plan, name)
    return {**own, "title": _caption(own), "silhouettes": plan.paths.table(name)}


def _caption(own: Spec) -> str:
    """Return what the panels show, whose maps they are, and which panels were not run."""
    seeds = max(len(panel["cells"]) for panel in own["panels"])
    missing = [panel["row"] for panel in own["panels"] if not panel["cells"]]
    parts = [
        f"{own['study']}, {table_name(own['table'])}: {own['title']}; t-SNE maps with the "
        "silhouette of the features by dataset and by modality",
        f"maps of the first of {seeds} seeds, silhouettes of all: mean ± half of the 95 % interval"
        if seeds > 1
        else "one seed",
        *([f"not run: {', '.join(missing)}"] if missing else []),
    ]
    return "; ".join(parts)


def inputs(plan: Plan, name: str) -> dict[str, Any]:
    """Return the map of the first seed of each panel, and the table of silhouettes."""
    own = spec(plan, name)
    points = [panel["cells"][0]["points"] for panel in own["panels"] if panel["cells"]]
    return {"points": points, "table": own["silhouettes"]}


def map_figure(spec: Spec) -> Figure:
    """Return a grid of maps, each of the first seed.

    Below each map are the silhouettes of the features. Rows and columns of which the grid declares
    no cell are left out; a panel in between stays empty.
    """
    from matplotlib.figure import Figure

    silhouettes = read_csv(spec["silhouettes"])
    rows, columns = _shown(spec)
    width = PAGE if len(columns) > 2 else COLUMN
    side = width / len(columns)
    size = (width, (side + _CAPTION_INCHES) * len(rows))
    figure = Figure(figsize=size, layout="constrained")
    grid = figure.subplots(len(rows), len(columns), squeeze=False)
    letters = iter(PANEL_LETTERS)
    for row, own_row in zip(rows, grid, strict=True):
        for column, axes in zip(columns, own_row, strict=True):
            panel = spec["panels"][row * len(spec["columns"]) + column]
            _draw_frame(axes)
            if panel["cells"]:
                axes.set_title(f"({next(letters)}) {spec['columns'][column]}")
                _draw_panel(axes, spec, read_parquet(panel["cells"][0]["points"]))
                quoted = _quote(silhouettes[silhouettes["row"] == panel["row"]])
                axes.set_xlabel(quoted, fontsize=SMALL)
            else:
                axes.set_axis_off()
        own_row[0].set_ylabel(spec["rows"][row])
    add_legend(figure, _handles(spec))
    mark_scaled(figure, spec)
    return figure


def _shown(spec: Spec) -> tuple[list[int], list[int]]:
    """Return the numbers of the rows and columns that have a cell."""
    across = len(spec["columns"])
    run = [divmod(place, across) for place, panel in enumerate(spec["panels"]) if panel["cells"]]
    rows, columns = zip(*run, strict=True)
    return sorted(set(rows)), sorted(set(columns))


def _draw_frame(axes: Axes) -> None:
    # Axes of a t-SNE map have no unit.
    axes.set(xticks=[], yticks=[], box_aspect=1)
    axes.spines[:].set(visible=True, color="#bbbbbb", linewidth=0.6)


def _draw_panel(axes: Axes, spec: Spec, points: pd.DataFrame) -> None:
    styles = _styles(spec)
    size = min(_LARGEST_POINT, _INK / len(points))
    # Draw a part of each dataset in turn, so that no dataset covers all others.
    for turn in range(_TURNS):
        for name, style in styles.items():
            drawn = points[points["dataset"] == name].iloc[turn::_TURNS]
            axes.scatter(
                drawn["x"],
                drawn["y"],
                s=size,
                color=style.color,
                marker=style.marker,
                linewidths=0,
                rasterized=True,  # thousands of vector points make a file large and slow to show
            )


def _quote(silhouettes: pd.DataFrame) -> str:
    """Return the text of a panel's silhouettes, one per line."""
    found = silhouettes.set_index("column")
    half_widths = (found["high"] - found["low"]) / 2
    lines = []
    for words in _QUOTED:
        column = f"silhouette {words}"
        spread = "" if pd.isna(half_widths[column]) else f" ± {half_widths[column]:.2f}"
        lines.append(f"{found['measured'][column]:.2f}{spread} {words}")
    return "\n".join(lines)


def _styles(spec: Spec) -> dict[str, PointStyle]:
    return dataset_styles({name: facts["modality"] for name, facts in spec["datasets"].items()})


def _handles(spec: Spec) -> list[Artist]:
    from matplotlib.lines import Line2D

    # The points of a map can be too small to see in a legend, so its markers are drawn separately.
    return [
        Line2D(
            [],
            [],
            linestyle="none",
            color=style.color,
            marker=style.marker,
            markersize=5,
            label=f"{spec['datasets'][name]['title']} ({spec['datasets'][name]['modality']})",
        )
        for name, style in _styles(spec).items()
    ]


PRODUCT = Product(
    names=map_panels.figures, spec=spec, inputs=inputs, draw=Drawing(map_figure), folder="figures"
)
