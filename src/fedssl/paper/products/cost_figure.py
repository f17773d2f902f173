"""The gain of each pretraining over random init, against its hours and the bytes that it sent.

Hours differ between two identical runs, so the files are in `report/`; see `timeline_figure`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import pandas as pd

from fedssl.files import read_json
from fedssl.frames import read_csv
from fedssl.grid.own_studies import is_own
from fedssl.grid.transmission import parse_name
from fedssl.paper.names import own_name, word
from fedssl.paper.palette import INK, REFERENCE, aggregator_style, split_style
from fedssl.paper.products.product import Product, Spec
from fedssl.paper.rows import by_axes, label
from fedssl.paper.style import PAGE, Drawing, add_legend, mark_scaled, time_unit

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from fedssl.grid.cell import Cell
    from fedssl.grid.plan import Plan

_PANEL_HEIGHT = 1.9  # inches
_MARKERS = "os^DvP"  # of methods and encoders
_GB, _MB = 1e9, 1e6
_APART = 1 / 70  # of the axis: distance of points of equal cost, which take at most `_TOGETHER`
_TOGETHER = 1 / 8
_CAPTION = (
    "{study}: gain over random init against the time and traffic of pretraining; gain in points of "
    "kNN accuracy with its 95 % interval; time and bytes sent and received: mean over seeds; "
    "centralised pretraining sends nothing; points of equal cost are next to each other"
)


def names(plan: Plan) -> dict[str, str]:
    """Return one figure per study."""
    return {f"{study}_cost": study for study in plan.studies}


def spec(plan: Plan, name: str) -> dict[str, Any]:
    """Return the table of gains, and the style and records of each of its rows."""
    study = names(plan)[name]
    groups = by_axes(plan.grid, study)
    first = [seeds[0] for seeds in groups]
    # A study compares either modality splits or aggregators; colours show what it compares.
    several = len({cell.split for cell in first}) > 1
    varying = [axis for axis in ("method", "arch") if len({getattr(c, axis) for c in first}) > 1]
    return {
        "title": _CAPTION.format(study=study),
        **plan.grid.scale,
        "gains": plan.paths.table(f"{study}_random_init"),
        "hollow": _variants(first) if several else "backbone only",
        "rows": [
            {
                "row": label(plan.grid, seeds[0]),
                "marker": " ".join(word(getattr(seeds[0], axis)) for axis in varying),
                **(_split(seeds[0]) if several else _aggregator(seeds[0])),
                "records": [plan.paths.provenance(cell) for cell in seeds],
            }
            for seeds in groups
        ],
    }


def _variants(cells: Sequence[Cell]) -> str:
    names = sorted({cell.variant for cell in cells} - {"base"})
    return f"variant {', '.join(names if is_own(cells[0].study) else map(word, names))}"


def _split(cell: Cell) -> dict[str, Any]:
    name = own_name(cell.axes, shown=["split"]) if is_own(cell.study) else word(cell.split)
    color = split_style(cell.split).color
    return {"group": name, "color": color, "filled": cell.variant == "base"}


def _aggregator(cell: Cell) -> dict[str, Any]:
    rule, sent = parse_name(cell.aggregator)
    color = aggregator_style(cell.aggregator, 0).color
    return {"group": word(rule), "color": color, "filled": sent == "all"}


def inputs(plan: Plan, name: str) -> dict[str, list[str]]:
    """Return the table of gains and the records of the pretrainings."""
    found = spec(plan, name)
    return {
        "gains": [found["gains"]],
        "records": [path for row in found["rows"] for path in row["records"]],
    }


def costs(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return the mean seconds and bytes of the seeds of a row, and whether they had a GPU."""
    records = [read_json(path) for path in row["records"]]
    # Seconds of a job with several GPUs count once for each of them.
    seconds = [record["seconds"] * (record["hardware"]["gpus"] or 1) for record in records]
    sent = [record.get("bytes_up", 0) + record.get("bytes_down", 0) for record in records]
    return {
        "row": row["row"],
        "seconds": sum(seconds) / len(records),
        "bytes": sum(sent) / len(records),
        "on_gpu": {record["hardware"]["gpu"] is not None for record in records},
    }


def cost_figure(spec: Spec) -> Figure:
    """Return a row of two panels per modality: gain against time, and against bytes."""
    from matplotlib.figure import Figure

    spent = [costs(row) for row in spec["rows"]]
    gains = read_csv(spec["gains"]).merge(pd.DataFrame(spent), on="row")
    modalities = list(dict.fromkeys(gains["modality"]))
    figure = Figure(figsize=(PAGE, _PANEL_HEIGHT * len(modalities)), layout="constrained")
    grid = figure.subplots(len(modalities), 2, sharex="col", sharey="row", squeeze=False)
    for column, name, unit in ((0, "seconds", _time(spent)), (1, "bytes", _size(spent))):
        for axes, modality in zip(grid[:, column], modalities, strict=True):
            own = gains[(gains["modality"] == modality) & (gains[name] > 0)].dropna(subset="gain")
            _draw_panel(axes, own.assign(cost=own[name] / unit[1]), spec["rows"])
        grid[-1, column].set_xlabel(unit[0])
    for axes, modality in zip(grid[:, 0], modalities, strict=True):
        axes.set_ylabel(f"gain on {modality} tasks, points")
    add_legend(figure, _handles(spec))
    mark_scaled(figure, spec)
    return figure


def _time(spent: Sequence[Mapping[str, Any]]) -> tuple[str, float]:
    """Return the name and the seconds of the unit of time."""
    kinds = set().union(*(cost["on_gpu"] for cost in spent))
    machine = {(True,): " on a GPU", (False,): " on a CPU"}.get(tuple(kinds), "")
    name, unit = time_unit(max(cost["seconds"] for cost in spent))
    return f"{name} of pretraining{machine}", unit


def _size(spent: Sequence[Mapping[str, Any]]) -> tuple[str, float]:
    """Return the name and the bytes of the unit of what is sent."""
    name, unit = ("GB", _GB) if max(cost["bytes"] for cost in spent) > 2 * _GB else ("MB", _MB)
    return f"{name} sent and received by all clients", unit


def _draw_panel(axes: Axes, gains: pd.DataFrame, rows: Sequence[Mapping[str, Any]]) -> None:
    known = {row["row"]: row for row in rows}
    markers = _markers(rows)
    points = gains.assign(cost=_apart(gains["cost"]))
    for point in points.to_dict("records"):
        row = known[point["row"]]
        axes.errorbar(
            point["cost"],
            point["gain"],
            yerr=[[point["gain"] - point["low"]], [point["high"] - point["gain"]]],
            color=row["color"],
            marker=markers[row["marker"]],
            markerfacecolor=row["color"] if row["filled"] else "white",
            elinewidth=0.6,
        )
    axes.axhline(0, color=REFERENCE, linewidth=0.8, zorder=0)
    axes.set_xlim(left=0)


def _apart(costs: pd.Series) -> pd.Series:
    """Return costs of which none are equal, so that no interval hides another."""
    equal = costs.groupby(costs.round(9))
    count = equal.transform("size")
    step = costs.max() * (_TOGETHER / count).clip(upper=_APART)
    return costs.add(step * (equal.cumcount() - (count - 1) / 2))


def _markers(rows: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    names = dict.fromkeys(row["marker"] for row in rows)
    return {name: _MARKERS[place % len(_MARKERS)] for place, name in enumerate(names)}


def _handles(spec: Spec) -> list[Artist]:
    from matplotlib.lines import Line2D

    rows = spec["rows"]
    points = [(row["group"], row["color"], "o", row["color"]) for row in rows]
    points += [(name, INK, marker, INK) for name, marker in _markers(rows).items() if name]
    if not all(row["filled"] for row in rows):
        points.append((spec["hollow"], INK, "o", "white"))
    handles = [
        Line2D(
            [], [], linestyle="none", color=color, marker=marker, markerfacecolor=face, label=name
        )
        for name, color, marker, face in dict.fromkeys(points)
    ]
    return [*handles, Line2D([], [], color=REFERENCE, linewidth=0.8, label="random init")]


PRODUCT = Product(names=names, spec=spec, inputs=inputs, draw=Drawing(cost_figure), folder="report")
