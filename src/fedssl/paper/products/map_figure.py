"""Figures of t-SNE maps: the same samples as several encoders lay them out."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from fedssl.paper import map_panels
from fedssl.paper.products.product import Files, Product, Spec
from fedssl.paper.style import dataset_styles, figure_style, figure_title, save_figure
from fedssl.paper.text_table import table_name

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from fedssl.grid.plan import Plan

_WIDTH_INCHES = 7.2  # across a page of two columns
_CHARACTERS_PER_INCH = 13
_HANDLE_CHARACTERS = 8  # as wide as a mark and the gaps around it
_LABELS = "abcdefghijklmnopqrstuvwxyz"
_QUOTED = {"by dataset": "silhouette by dataset", "by modality": "silhouette by modality"}
# Datasets take turns, so that none lies on top of all others.
_TURNS = 10
_LARGEST_POINT, _INK = 12.0, 6000.0  # square points: of one sample, and of all of a panel's


def spec(plan: Plan, name: str) -> dict[str, Any]:
    """Return a figure's panels, and the table of its silhouettes."""
    return {**map_panels.figure_spec(plan, name), "silhouettes": plan.paths.table(name)}


def inputs(plan: Plan, name: str) -> dict[str, Any]:
    """Return the maps that a figure draws, of each panel the first seed's, and its silhouettes."""
    told = spec(plan, name)
    points = [panel["cells"][0]["points"] for panel in told["panels"] if panel["cells"]]
    return {"points": points, "table": told["silhouettes"]}


def draw(spec: Spec, files: Files) -> None:
    """Draw the figure."""
    write_map_figure(spec, table=spec["silhouettes"], **files)


def write_map_figure(
    spec: Mapping[str, Any],
    *,
    table: str | Path,
    pdf: str | Path,
    png: str | Path,
    svg: str | Path,
) -> None:
    """Write a grid of maps, one a panel, each the first seed's.

    Below a panel stand the silhouettes of the features, from `table`: the mean over seeds and
    their standard deviation. A panel whose cell the grid does not declare says "not run".
    """
    with figure_style():
        figure = map_figure(spec, pd.read_csv(table))
        save_figure(figure, {"pdf": pdf, "png": png, "svg": svg})


def map_figure(spec: Mapping[str, Any], silhouettes: pd.DataFrame) -> Figure:
    """Return the figure of `write_map_figure`; call it inside `figure_style`."""
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    rows, columns = spec["rows"], spec["columns"]
    side = _WIDTH_INCHES / max(len(columns), 3)
    size = (side * len(columns), (side + 0.55) * len(rows) + 0.9)
    figure = Figure(figsize=size, layout=ConstrainedLayoutEngine(h_pad=0.1))
    panels = figure.subplots(len(rows), len(columns), squeeze=False)
    for place, (axes, panel) in enumerate(zip(panels.flat, spec["panels"], strict=True)):
        row, column = divmod(place, len(columns))
        axes.set_title(f"({_LABELS[place]}) {columns[column]}")
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
    figure.suptitle(_title(spec, inches=size[0]), fontsize="medium")
    return figure


def _draw_panel(axes: Axes, spec: Mapping[str, Any], points: pd.DataFrame) -> None:
    styles = _styles(spec)
    size = min(_LARGEST_POINT, _INK / len(points))
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
                rasterized=True,  # thousands of points would make the file large and slow to show
            )


def _quote(silhouettes: pd.DataFrame) -> str:
    """Return a panel's silhouettes in words, a line each."""
    found = silhouettes.set_index("column")
    lines = []
    for words, column in _QUOTED.items():
        spread = "" if pd.isna(found["std"][column]) else f" ± {found['std'][column]:.2f}"
        lines.append(f"{found['measured'][column]:.2f}{spread} {words}")
    return "silhouette\n" + "\n".join(lines)


def _styles(spec: Mapping[str, Any]) -> dict[str, Any]:
    return dataset_styles({name: facts["modality"] for name, facts in spec["datasets"].items()})


def _add_legend(figure: Figure, spec: Mapping[str, Any]) -> None:
    from matplotlib.lines import Line2D

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
    figure.legend(handles=handles, loc="outside lower center", ncols=columns, frameon=False)


def _title(spec: Mapping[str, Any], *, inches: float) -> str:
    seeds = max(len(panel["cells"]) for panel in spec["panels"])
    notes = [f"maps of the first of {seeds} seeds, silhouettes of all"] if seeds > 1 else []
    title = f"{spec['study']}, {table_name(spec['table'])}: {spec['title']}"
    characters = int(_CHARACTERS_PER_INCH * inches)
    return figure_title({**spec, "title": title}, characters=characters, notes=notes)


PRODUCT = Product(names=map_panels.figures, spec=spec, inputs=inputs, draw=draw, folder="figures")
