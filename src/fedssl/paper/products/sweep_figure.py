"""Figures that plot tables over the percentage of clients with both modalities.

An example is figure 4 of FSSUAVL. Each figure is an entry under `sweeps` in the configuration.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import pandas as pd

from fedssl.errors import UserError
from fedssl.frames import read_csv
from fedssl.grid.configuration import closest, key_text, origin
from fedssl.grid.splits import parse_split
from fedssl.paper.palette import modality_style
from fedssl.paper.products.product import Product, Spec
from fedssl.paper.published import heading
from fedssl.paper.published_points import published_points, published_values
from fedssl.paper.rows import of_studies, row_axes
from fedssl.paper.style import PAGE, PANEL_LETTERS, Drawing, add_legend, mark_scaled

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from fedssl.grid.plan import Plan

_PANEL_HEIGHT = 2.1  # inches
_DASHES = {"image": "solid", "audio": (0, (4, 1.5))}
_OFFSET = {"image": -0.8, "audio": 0.8}  # percent of clients, so that no bar covers another
_REFERENCE_DASHES = (0, (1, 1.5))
_PUBLISHED = "published"
_NOTE = (
    "mean over seeds, bars: 95 % intervals; lines join neighbours that were both run; hollow: "
    "published numbers of the same cells in the paper's tables"
)


def names(plan: Plan) -> dict[str, str]:
    """Return the figures that can be drawn: each panel needs two declared rows and its tasks."""
    sweeps = of_studies(plan, "sweeps")
    return {name: study for name, study in sweeps.items() if _can_be_drawn(plan, name)}


def check_sweeps(plan: Plan) -> None:
    """Raise UserError if a panel names a table that does not exist."""
    known = plan.grid.config["tables"]
    for name, figure in plan.grid.config["sweeps"].items():
        for place, panel in enumerate(figure["panels"]):
            if (table := panel["table"]) not in known:
                key = ("sweeps", name, "panels", place, "table")
                raise UserError(
                    f"{origin(key, plan.layers)}: {key_text(key)} names {table!r}, which is no "
                    f"table{closest(table, known)}; there are {', '.join(known)}."
                )


def spec(plan: Plan, name: str) -> dict[str, Any]:
    """Return the panels and lines of a figure, and the table rows of its points."""
    figure = plan.grid.config["sweeps"][name]
    study = figure["study"]
    number = name.removeprefix(f"{study}_figure")
    return {
        "title": f"{study}, figure {number}: {figure['title']}; {_NOTE}",
        **plan.grid.scale,
        "lines": _lines(plan, figure),
        "panels": [_panel(plan, panel) for panel in figure["panels"]],
        "published": sorted(map(str, (plan.checkout / "config/published").glob(f"{study}*.csv"))),
    }


def inputs(plan: Plan, name: str) -> dict[str, list[str]]:
    """Return the tables that the panels show, and the files of the published numbers."""
    own = spec(plan, name)
    return {
        "tables": [panel["csv"] for panel in own["panels"]],
        "published": own["published"],
    }


def _table(plan: Plan, panel: Mapping[str, Any]) -> Mapping[str, Any]:
    table: Mapping[str, Any] = plan.grid.config["tables"][panel["table"]]
    return table


def _panel(plan: Plan, panel: Mapping[str, Any]) -> dict[str, Any]:
    rows = _table(plan, panel)["rows"]
    return {
        "title": panel["title"],
        "x": panel["x"],
        "csv": plan.paths.table(panel["table"]),
        "rows": {row["row"]: parse_split(row["split"]).both for row in rows if "split" in row},
        "references": [row["row"] for row in rows if row.get("random_init", False)],
        "published": published_points(plan, _table(plan, panel)),
    }


def _lines(plan: Plan, figure: Mapping[str, Any]) -> list[dict[str, str]]:
    """Return a line per column of the first panel's table; the other panels have the same."""
    table = _table(plan, figure["panels"][0])
    tasks = {task.task: task for task in plan.grid.tasks(figure["study"])}
    return [
        {
            "column": heading(column["column"], protocol),
            "modality": tasks[column["tasks"][0]].modality,
            "tasks": "; ".join(tasks[task].title for task in column["tasks"]),
        }
        for protocol in table["protocols"]
        for column in table["columns"]
    ]


def _can_be_drawn(plan: Plan, name: str) -> bool:
    figure = plan.grid.config["sweeps"][name]
    known = {task.task for task in plan.grid.tasks(figure["study"])}
    tables = [_table(plan, panel) for panel in figure["panels"]]
    tasks = {task for table in tables for column in table["columns"] for task in column["tasks"]}
    # A line needs two points.
    return tasks <= known and all(_declared_rows(plan, table) > 1 for table in tables)


def _declared_rows(plan: Plan, table: Mapping[str, Any]) -> int:
    rows = [row_axes(row) for row in table["rows"] if "split" in row]
    return sum(bool(plan.grid.select(study=table["study"], **row)) for row in rows)


def sweep_figure(spec: Spec) -> Figure:
    """Return a panel per table with a line per column.

    Points are means over seeds, with bars of their 95 % interval. A row that was not run has no
    point, and the line has a gap there. Random init is a horizontal line, and a published number a
    hollow mark.

    Raises:
        UserError: No row of a table was run.
    """
    from matplotlib.figure import Figure

    tables = [read_csv(panel["csv"]) for panel in spec["panels"]]
    figure = Figure(figsize=(PAGE, _PANEL_HEIGHT), layout="constrained")
    panels = figure.subplots(1, len(tables), sharey=True, squeeze=False)[0]
    for place, (axes, panel, table) in enumerate(zip(panels, spec["panels"], tables, strict=True)):
        for line in spec["lines"]:
            _draw_line(axes, panel, table[table["column"] == line["column"]], line=line)
            _draw_published(axes, panel, spec["published"], line=line)
        axes.set_title(f"({PANEL_LETTERS[place]}) {panel['title']}")
        axes.set(xlabel=panel["x"], xticks=sorted(panel["rows"].values()))
    panels[0].set_ylabel("kNN top-1 accuracy, %")
    add_legend(figure)
    mark_scaled(figure, spec)
    return figure


def _draw_line(
    axes: Axes, panel: Mapping[str, Any], table: pd.DataFrame, *, line: Mapping[str, Any]
) -> None:
    modality, style = line["modality"], modality_style(line["modality"])
    found = table.assign(half_width=(table["high"] - table["low"]) / 2).set_index("row")
    found = found[["measured", "half_width"]]
    points = found.reindex(list(panel["rows"])).assign(x=list(panel["rows"].values()))
    points = points.sort_values("x")
    if points["measured"].isna().all():
        raise UserError(f"{panel['title']}: no row of {line['column']} was run; nothing to draw.")
    x = points["x"] + _OFFSET[modality]
    axes.plot(
        x,
        points["measured"],  # NaN if not run, so matplotlib leaves a gap
        color=style.color,
        marker=style.marker,
        linestyle=_DASHES[modality],
        label=f"{modality} tasks: {line['tasks']}",
    )
    # Draw the bars separately: `errorbar` would put them into the legend.
    axes.errorbar(
        x, points["measured"], points["half_width"], fmt="none", ecolor=style.color, capsize=2
    )
    for name, value in found["measured"].reindex(panel["references"]).dropna().items():
        axes.axhline(
            value,
            color=style.color,
            linestyle=_REFERENCE_DASHES,
            linewidth=1.0,
            label=f"{modality} tasks: {name}",
        )


def _draw_published(
    axes: Axes, panel: Mapping[str, Any], files: Sequence[str], *, line: Mapping[str, Any]
) -> None:
    style = modality_style(line["modality"])
    for point in panel["published"]:
        if point["column"] != line["column"] or point["row"] not in panel["rows"]:
            continue
        values = published_values(files, point["keys"])
        axes.plot(
            [panel["rows"][point["row"]] + _OFFSET[line["modality"]]] * len(values),
            values,
            linestyle="none",
            color=style.color,
            marker=style.marker,
            markerfacecolor="none",
            markersize=6,
            label=f"{line['modality']} tasks: {_PUBLISHED}",
        )


PRODUCT = Product(
    names=names, spec=spec, inputs=inputs, draw=Drawing(sweep_figure), folder="figures"
)
