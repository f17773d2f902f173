"""Figures of t-SNE maps: the features of the same samples from several encoders."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd

from fedssl.paper import map_panels
from fedssl.paper.products.product import Files, Product, Spec
from fedssl.paper.style import (
    PANEL_LETTERS,
    PointStyle,
    add_legend,
    add_title,
    dataset_styles,
    figure_style,
    save_figure,
)
from fedssl.paper.text_table import table_name

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from fedssl.grid.plan import Plan

_WIDTH_INCHES = 7.2  # of a page with two columns
_CHARACTERS_PER_INCH = 13
_HANDLE_CHARACTERS = 8  # width of a legend's marker and the gaps around it
_QUOTED = {"by dataset": "silhouette by dataset", "by modality": "silhouette by modality"}
_TURNS = 10
_LARGEST_POINT, _INK = 12.0, 6000.0  # square points: of one sample, and of all in a panel


def spec(plan: Plan, name: str) -> dict[str, Any]:
    """Return the panels of a figure, and the table of its silhouettes."""
    return {**map_panels.figure_spec(plan, name), "silhouettes": plan.paths.table(name)}


def inputs(plan: Plan, name: str) -> dict[str, Any]:
    """Return the map of the first seed of each panel, and the table of silhouettes."""
    own = spec(plan, name)
    points = [panel["cells"][0]["points"] for panel in own["panels"] if panel["cells"]]
    return {"points": points, "table": own["silhouettes"]}


def draw(spec: Spec, files: Files) -> None:
    """Draw the maps."""
    with figure_style():
        save_figure(map_figure(spec, pd.read_csv(spec["silhouettes"])), files)


def map_figure(spec: Spec, silhouettes: pd.DataFrame) -> Figure:
    """Return a grid of maps, each of the first seed; call it in `figure_style`.

    Below each map are the silhouettes of the features: mean and standard deviation over seeds. The
    panel of a cell that the grid does not declare says "not run".
    """
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    rows, columns = spec["rows"], spec["columns"]
    side = _WIDTH_INCHES / max(len(columns), 3)
    size = (side * len(columns), (side + 0.55) * len(rows) + 0.9)
    figure = Figure(figsize=size, layout=ConstrainedLayoutEngine(h_pad=0.1))
    panels = figure.subplots(len(rows), len(columns), squeeze=False)
    for place, (axes, panel) in enumerate(zip(panels.flat, spec["panels"], strict=True)):
        row, column = divmod(place, len(columns))
        axes.set_title(f"({PANEL_LETTERS[place]}) {columns[column]}")
        # Axes of a t-SNE map have no unit.
        axes.set(xticks=[], yticks=[], box_aspect=1)
        axes.spines[:].set(visible=True, color="#bbbbbb", linewidth=0.6)
        if column == 0:
            axes.set_ylabel(rows[row], fontweight="bold")
        if panel["cells"]:
            _draw_panel(axes, spec, pd.read_parquet(panel["cells"][0]["points"]))
            quoted = _quote(silhouettes[silhouettes["row"] == panel["row"]])
            axes.set_xlabel(quoted, fontsize="small")
        else:
            axes.text(0.5, 0.5, "not run", transform=axes.transAxes, ha="center", color="#666666")
    _add_legend(figure, spec)
    _add_title(figure, spec)
    return figure


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
    lines = []
    for words, column in _QUOTED.items():
        spread = "" if pd.isna(found["std"][column]) else f" ± {found['std'][column]:.2f}"
        lines.append(f"{found['measured'][column]:.2f}{spread} {words}")
    return "silhouette\n" + "\n".join(lines)


def _styles(spec: Spec) -> dict[str, PointStyle]:
    return dataset_styles({name: facts["modality"] for name, facts in spec["datasets"].items()})


def _add_legend(figure: Figure, spec: Spec) -> None:
    from matplotlib.lines import Line2D

    # The points of a map can be too small to see in a legend, so its markers are drawn separately.
    handles = [
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
    longest = max(len(str(handle.get_label())) for handle in handles) + _HANDLE_CHARACTERS
    columns = max(1, int(_CHARACTERS_PER_INCH * figure.get_figwidth() // longest))
    add_legend(figure, columns=columns, handles=handles)


def _add_title(figure: Figure, spec: Spec) -> None:
    seeds = max(len(panel["cells"]) for panel in spec["panels"])
    notes = [f"maps of the first of {seeds} seeds, silhouettes of all"] if seeds > 1 else []
    title = f"{spec['study']}, {table_name(spec['table'])}: {spec['title']}"
    characters = int(_CHARACTERS_PER_INCH * figure.get_figwidth())
    add_title(figure, {**spec, "title": title}, characters=characters, notes=notes)


PRODUCT = Product(names=map_panels.figures, spec=spec, inputs=inputs, draw=draw, folder="figures")
