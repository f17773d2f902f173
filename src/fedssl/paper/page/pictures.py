"""Lay out the pictures at the top of the page. The templates draw them as inline SVG."""

import math
from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from typing import Any

from fedssl.paper.names import word

Record = dict[str, Any]
_SIDE = 300.0  # length of both axes of the scatter plot
_FOREST_WIDTH = 250.0
_ROW = 13.0  # height of a row of the forest plot
_GAIN_WIDTH = 260.0
_DOT = 5.0  # distance of two encoders in a lane of the gains
_TICKS = (1, 5, 20, 50)  # points, on a square-root scale
_GAIN_TICKS = (10, 25, 50)  # points, on a linear scale


def scatter(tables: Iterable[Mapping[str, Any]]) -> Record:
    """Return a point for each number that is both published and measured, and their protocols.

    Coordinates are those of a square of `side`, from 0 to 100 percent on both axes.
    """
    points = [
        _point(table, row, cell, heading, label)
        for table in tables
        for row in table["rows"]
        for cell, heading, label in zip(
            row["cells"], table["headings"], table["labels"], strict=True
        )
        # The number of a round is no percentage; it has no interval.
        if cell and cell["published"] is not None and cell["interval"] is not None
    ]
    return {
        "side": _SIDE,
        "points": points,
        "protocols": list(dict.fromkeys(p["protocol"] for p in points)),
    }


def _point(
    table: Mapping[str, Any], row: Mapping[str, Any], cell: Record, heading: str, label: str
) -> Record:
    low, high = cell["interval"]
    return {
        "slug": cell["slug"],
        "protocol": label,
        "verdict": cell["verdict"],
        "x": _percent(cell["published"]),
        "y": _SIDE - _percent(cell["measured"]),
        "low": _SIDE - _percent(low),
        "high": _SIDE - _percent(high),
        "words": f"{table['study']}, {row['row']}, {heading}: published "
        f"{cell['published_text']}, measured {cell['text']} ({low:.2f} to {high:.2f})",
    }


def _percent(value: float) -> float:
    return round(_SIDE * value / 100, 1)


def forest(claims: Sequence[Mapping[str, Any]]) -> Record:
    """Return a row for each claim with a margin, the smallest published margin first.

    The axis has a square-root scale on both sides of 0: margins of 0.1 and of 50 points occur.
    """
    drawn = [claim for claim in claims if _margins(claim)]
    drawn.sort(key=lambda claim: min(_margins(claim)))
    reach = max((abs(margin) for claim in drawn for margin in _margins(claim)), default=1.0)

    def x(value: float | None) -> float | None:
        if value is None:
            return None
        share = math.sqrt(min(1.0, abs(value) / reach))
        return round(math.copysign(share, value) * _FOREST_WIDTH / 2, 1)

    rows = [
        {
            **{name: claim[name] for name in ("id", "words", "published", "measured", "scaled")},
            **{name: x(claim[name]) for name in ("published_margin", "low", "high")},
            "measured_margin": x(claim["measured_margin"]),
            "y": _ROW * (number + 0.5),
        }
        for number, claim in enumerate(drawn)
    ]
    ticks = [tick for tick in _TICKS if tick <= reach]
    return {
        "width": _FOREST_WIDTH,
        "height": _ROW * len(rows),
        "rows": rows,
        "ticks": [(x(sign * tick), f"{sign * tick:+d}") for tick in ticks for sign in (-1, 1)],
        "left_out": len(claims) - len(drawn),
    }


def _margins(claim: Mapping[str, Any]) -> list[float]:
    found = (claim[name] for name in ("published_margin", "measured_margin"))
    return [margin for margin in found if margin is not None]


def gain_lanes(gains: Iterable[Mapping[str, Any]]) -> Record:
    """Return a lane for each study, method and modality, with a dot for each encoder's gain."""
    rows = [row for table in gains for row in table["rows"] if row["gain"] is not None]
    reach = max((abs(row[end]) for row in rows for end in ("low", "high")), default=1.0) or 1.0
    rows.sort(key=_lane)
    lanes, top = [], 0.0
    for (study, method, modality), group in groupby(rows, key=_lane):
        dots = [_dot(row, place, top=top, reach=reach) for place, row in enumerate(group)]
        height = _DOT * (len(dots) + 1) + 8
        name = f"{study}: {word(method)}, {modality}"
        lanes.append({"name": name, "y": top + height / 2, "modality": modality, "dots": dots})
        top += height
    fitting = [tick for tick in _GAIN_TICKS if tick <= reach]
    # Two ticks on each side of 0 at most, so that their labels do not overlap.
    ticks = fitting[-2:] if fitting[-2:] != [10, 25] else fitting[-1:]
    return {
        "width": _GAIN_WIDTH,
        "height": top,
        "lanes": lanes,
        "ticks": [(_gain_x(s * tick, reach), f"{s * tick:+d}") for tick in ticks for s in (-1, 1)],
    }


def _lane(row: Mapping[str, Any]) -> tuple[str, str, str]:
    return row["study"], row["axes"].get("method", ""), row["modality"]


def _dot(row: Mapping[str, Any], place: int, *, top: float, reach: float) -> Record:
    return {
        "anchor": row["anchor"],
        "y": top + 4 + _DOT * (place + 1),
        "trained": row["pretrained_on"],
        **{name: _gain_x(row[name], reach) for name in ("gain", "low", "high")},
        "words": f"{row['row']}: {row['gain']:+.2f} points on {row['modality']} "
        f"({row['low']:+.2f} to {row['high']:+.2f})",
    }


def _gain_x(value: float, reach: float) -> float:
    return round(value / reach * _GAIN_WIDTH / 2, 1)
