"""When each job of a run started and ended, by rule and by host.

The records of two identical runs have different times, so the files of this figure differ too. They
are in `report/`, next to the page, and not in `figures/`, whose bytes a repeated run reproduces.
The audit checks their hashes as it does for every figure, and does not draw them again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fedssl.paper.palette import AREA, INK
from fedssl.paper.products.product import Product, Spec
from fedssl.paper.products.registry import KINDS, get_product, products
from fedssl.paper.style import PAGE, SMALL, Drawing, mark_scaled, time_unit
from fedssl.record.read import read_records, whole
from fedssl.record.seal import ABOUT

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from fedssl.grid.plan import Plan

_NAME = "timeline"
_ROW_HEIGHT, _FURTHER_HEIGHT = 0.16, 0.75  # inches
_MOST_HOSTS = 20
_PRODUCTS = "tables and figures"  # one row for all their rules
# These rules run next to the one that draws this figure, or after it.
_LATER = ABOUT | {"claims", "cost_figure", "timeline_figure"}
# A pause without any job, in seconds, and the part of it that is drawn. A cell that is rerun weeks
# later would otherwise leave nothing of the time line but two dots.
_PAUSE, _DRAWN_PAUSE = 600.0, 60.0
_CAPTION = (
    "time line of the run, by rule and by host; at the right the number of jobs and their time; "
    "parallel jobs are drawn above each other; dotted lines: pauses of more than 10 minutes, cut "
    "out"
)


@dataclass(frozen=True)
class Span:
    """One job: its row in either panel, and its start, end and duration in seconds.

    `duration` includes earlier attempts, which were before `start`.
    """

    rule: str
    host: str
    start: float
    end: float
    duration: float


Rows = Mapping[str, Sequence[Span]]


def names(_plan: Plan) -> dict[str, str]:
    """Return the figure of the run; it belongs to no single study."""
    return {_NAME: ""}


def spec(plan: Plan, _name: str) -> dict[str, Any]:
    """Return the results folder, whose records are drawn."""
    return {"title": _CAPTION, **plan.grid.scale, "results": plan.paths.results}


def inputs(plan: Plan, _name: str) -> dict[str, list[str]]:
    """Return the records of all cells, and of the tables and figures that show no times."""
    made = ((get_product(kind), name) for kind, name in products(plan))
    results = plan.paths.results
    drawn = [p.record(results, name) for p, name in made if p.folder != "report"]
    return {"records": [*map(plan.paths.provenance, plan.cells), *drawn]}


def read_spans(results: str | Path) -> list[Span]:
    """Return the jobs of a results folder in the order of their starts, from second 0.

    Raises:
        UserError: A record was changed after it was written.
    """
    records = (whole(record).content for record in read_records(Path(results)))
    jobs = [record for record in records if record["rule"] not in _LATER]
    began = min(_seconds(job["started"]) for job in jobs)
    spans = [
        Span(
            rule=_PRODUCTS if job["rule"] in KINDS else job["rule"].replace("_", " "),
            host=job["hardware"]["host"],
            start=_seconds(job["started"]) - began,
            end=_seconds(job["ended"]) - began,
            duration=job["seconds"],
        )
        for job in jobs
    ]
    return sorted(spans, key=lambda span: (span.start, span.end, span.rule))


def _seconds(moment: str) -> float:
    return datetime.fromisoformat(moment).timestamp()


def without_pauses(spans: Iterable[Span]) -> tuple[list[Span], list[float]]:
    """Return the spans with long pauses shortened, and the moments of these pauses.

    `spans` are in the order of their starts.
    """
    moved, pauses = [], []
    cut, busy = 0.0, 0.0
    for span in spans:
        if (pause := span.start - busy) > _PAUSE:
            cut += pause - _DRAWN_PAUSE
            pauses.append(busy + pause - cut - _DRAWN_PAUSE / 2)
        busy = max(busy, span.end)
        moved.append(Span(span.rule, span.host, span.start - cut, span.end - cut, span.duration))
    return moved, pauses


def lanes(spans: Iterable[Span]) -> list[int]:
    """Return the lane of each span, the lowest that is free when it starts."""
    ends: list[float] = []
    found = []
    for span in spans:
        free = (lane for lane, end in enumerate(ends) if end <= span.start)
        lane = next(free, len(ends))
        ends[lane : lane + 1] = [span.end]
        found.append(lane)
    return found


def timeline_figure(spec: Spec) -> Figure:
    """Return a panel with a row for each rule, and below it one with a row for each host."""
    from matplotlib.figure import Figure

    spans, pauses = without_pauses(read_spans(spec["results"]))
    panels: list[Rows] = [_rows(spans, "rule"), _busiest(_rows(spans, "host"))]
    heights = [len(rows) for rows in panels]
    size = (PAGE, _ROW_HEIGHT * sum(heights) + _FURTHER_HEIGHT)
    figure = Figure(figsize=size, layout="constrained")
    grid = figure.subplots(2, 1, sharex=True, gridspec_kw={"height_ratios": heights})
    word, unit = time_unit(max(span.end for span in spans))
    for axes, rows in zip(grid, panels, strict=True):
        _draw_panel(axes, rows, unit=unit)
        for pause in pauses:
            axes.axvline(pause / unit, color=INK, linewidth=0.8, linestyle=":")
    grid[1].set_xlabel(f"{word} since the start of the run")
    mark_scaled(figure, spec)
    return figure


def _rows(spans: Iterable[Span], key: str) -> dict[str, list[Span]]:
    rows: dict[str, list[Span]] = {}
    for span in spans:
        rows.setdefault(getattr(span, key), []).append(span)
    return rows


def _busiest(rows: Rows) -> Rows:
    """Return the hosts with the most time, and all others as one row."""
    if len(rows) <= _MOST_HOSTS:
        return rows
    order = sorted(rows, key=lambda host: -sum(span.duration for span in rows[host]))
    kept, others = order[: _MOST_HOSTS - 1], order[_MOST_HOSTS - 1 :]
    rest = sorted((s for host in others for s in rows[host]), key=lambda span: span.start)
    return {**{host: rows[host] for host in kept}, f"{len(others)} other hosts": rest}


def _draw_panel(axes: Axes, rows: Rows, *, unit: float) -> None:
    for place, spans in enumerate(rows.values()):
        found = lanes(spans)
        height = 0.8 / (max(found) + 1)
        axes.barh(
            [place - 0.4 + (lane + 0.5) * height for lane in found],
            [(span.end - span.start) / unit for span in spans],
            left=[span.start / unit for span in spans],
            height=height,
            color=AREA,
            edgecolor=INK,
            linewidth=0.3,
        )
        jobs = "1 job" if len(spans) == 1 else f"{len(spans):,} jobs"
        spent = _duration(sum(span.duration for span in spans))
        text = f"{jobs}, {spent}"
        axes.text(
            1.01, place, text, transform=axes.get_yaxis_transform(), va="center", fontsize=SMALL
        )
    axes.set_yticks(range(len(rows)), labels=list(rows))
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.set_xlim(left=0)
    axes.grid(visible=False, axis="y")


def _duration(seconds: float) -> str:
    word, unit = time_unit(seconds)
    return f"{seconds / unit:,.1f} {word}" if seconds >= 1 else "under 1 second"


PRODUCT = Product(
    names=names, spec=spec, inputs=inputs, draw=Drawing(timeline_figure), folder="report"
)
