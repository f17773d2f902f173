"""Where the texts of a figure are."""

from dataclasses import dataclass
from itertools import combinations

from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.transforms import Bbox

_TOLERANCE = 0.75  # points, by which boxes of neighbouring texts may overlap


@dataclass(frozen=True)
class Placed:
    """A text, its size in points, and its box in points."""

    text: str
    size: float
    box: Bbox


def placed_texts(figure: Figure) -> list[Placed]:
    """Return the visible texts of a figure after its layout."""
    figure.draw_without_rendering()
    scale = 72 / figure.dpi
    hidden = _ticks_outside(figure)
    found = []
    for artist in figure.findobj(Text):
        assert isinstance(artist, Text)
        if artist.get_text().strip() and _is_visible(artist) and artist not in hidden:
            extents = artist.get_window_extent()
            box = Bbox(extents.get_points() * scale)
            found.append(Placed(artist.get_text(), float(artist.get_fontsize()), box))
    return found


def _ticks_outside(figure: Figure) -> set[Text]:
    """Return the labels of ticks beyond the ends of their axes, which are not drawn."""
    hidden: set[Text] = set()
    for axes in figure.axes:
        for axis in (axes.xaxis, axes.yaxis):
            low, high = sorted(axis.get_view_interval())
            slack = 1e-9 * (high - low)
            for tick in axis.get_major_ticks():
                if not low - slack <= tick.get_loc() <= high + slack:
                    hidden |= {tick.label1, tick.label2}
    return hidden


def _is_visible(artist: Text) -> bool:
    axes = artist.axes
    if not artist.get_visible() or (axes is not None and not axes.get_visible()):
        return False
    if axes is None or axes.axison:
        return True
    return artist in axes.texts


def cut_off(figure: Figure) -> list[str]:
    """Return the texts that are partly outside the canvas."""
    width, height = figure.get_size_inches() * 72
    return [
        placed.text
        for placed in placed_texts(figure)
        if min(placed.box.x0, placed.box.y0) < 0 or placed.box.x1 > width or placed.box.y1 > height
    ]


def overlapping(figure: Figure) -> list[tuple[str, str]]:
    """Return the pairs of texts whose boxes overlap."""
    pairs = combinations(placed_texts(figure), 2)
    return [(a.text, b.text) for a, b in pairs if _overlap(a.box, b.box)]


def _overlap(a: Bbox, b: Bbox) -> bool:
    across = min(a.x1, b.x1) - max(a.x0, b.x0)
    down = min(a.y1, b.y1) - max(a.y0, b.y0)
    return min(across, down) > _TOLERANCE
