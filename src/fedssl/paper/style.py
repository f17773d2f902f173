"""The look of figures: sizes of a paper's columns, legends that fit, and reproducible files."""

import contextlib
import textwrap
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fedssl.files import atomic_write
from fedssl.paper.text_table import SCALED

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# matplotlib and seaborn are imported inside functions: importing them takes a second, and planning
# a run imports this module without drawing anything.

COLUMN, PAGE = 3.3, 6.8  # inches: widths of one column and of both columns of a paper
TEXT, SMALL = 8.0, 7.0  # points: as large in print, because figures have the width of a column
_RC = {
    # matplotlib ships this font, so texts have the same width on every machine. The fonts that a
    # browser substitutes in an SVG are narrower, so no text is cut off there.
    "font.family": "DejaVu Sans",
    "font.size": TEXT,
    "axes.labelsize": TEXT,
    "axes.titlesize": TEXT,
    "figure.titlesize": SMALL,
    "legend.fontsize": SMALL,
    "xtick.labelsize": SMALL,
    "ytick.labelsize": SMALL,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.linewidth": 0.6,
    "grid.color": "#dddddd",
    "grid.linewidth": 0.5,
    "lines.linewidth": 1.1,
    "lines.markersize": 3.5,
    "hatch.linewidth": 0.8,
    # Keep text as text, so that readers can search and copy it.
    "pdf.fonttype": 42,
    "svg.fonttype": "none",
    # The default salt is random, so each run would write other identifiers.
    "svg.hashsalt": "fedssl",
}
# By default matplotlib writes the date and its version. Without them the same numbers give the
# same bytes.
_METADATA: dict[str, dict[str, Any]] = {
    "pdf": {"CreationDate": None, "Creator": None, "Producer": None},
    "png": {"Software": None},
    "svg": {"Date": None, "Creator": None},
}
_DPI = 200
_CHARACTERS_PER_INCH = 14  # of the widest small text
_HANDLE_INCHES = 0.5  # sample of a legend's entry, and the gap after it
_MOST_COLUMNS = 6
_MARGIN = 0.05  # inches around a legend
PANEL_LETTERS = "abcdefghijklmnopqrstuvwxyz"
_BAND = 0.14  # opacity of an interval


def mark_scaled(figure: "Figure", spec: Mapping[str, Any]) -> None:
    """Write into the corner of a figure of a scaled run that it is no result of a paper's scale.

    Titles are in the captions: a picture has only what cannot be separated from it.
    """
    if spec["scale"] != "paper":
        figure.suptitle(SCALED, x=0.99, ha="right", color="#666666", fontsize=SMALL)
        figure.set_figheight(figure.get_figheight() + 0.18)


def add_legend(figure: "Figure", handles: "Sequence[Artist] | None" = None) -> None:
    """Put a legend below all panels, by default of the lines of all panels, each label once.

    The figure grows by the height of the legend, so that panels keep theirs.
    """
    if handles is None:
        lines = (axes.get_legend_handles_labels() for axes in figure.axes)
        labelled = (pair for found in lines for pair in zip(*found, strict=True))
        handles = list({label: handle for handle, label in labelled}.values())
    room = figure.get_figwidth() - 2 * _MARGIN
    characters = int((room - _HANDLE_INCHES) * _CHARACTERS_PER_INCH)
    labels = [textwrap.fill(str(handle.get_label()), width=characters) for handle in handles]
    for columns in range(min(_MOST_COLUMNS, len(handles)), 0, -1):
        legend = figure.legend(
            handles=handles,
            labels=labels,
            loc="outside lower center",
            ncols=columns,
            frameon=False,
            borderpad=0.2,
            columnspacing=1.2,
            handlelength=3,
        )
        box = legend.get_window_extent()
        if box.width / figure.dpi <= room or columns == 1:
            figure.set_figheight(figure.get_figheight() + box.height / figure.dpi + _MARGIN)
            return
        legend.remove()


def label_rounds(axes: "Axes", *, most: int = 5) -> None:
    """Mark at most some rounds on the x axis; by default matplotlib would also mark half rounds."""
    from matplotlib.ticker import MaxNLocator

    axes.xaxis.set_major_locator(MaxNLocator(nbins=most, integer=True, steps=[1, 2, 5, 10]))


def label_edges(axes: "Axes", *, place: int, panels: int, across: int, y: str, x: str = "") -> None:
    """Label the y axis in the first column of a grid, and the x axis of the lowest panels.

    `place` counts the panels row by row, `across` in a row.
    """
    if place % across == 0:
        axes.set_ylabel(y)
    if x and place + across >= panels:
        axes.set_xlabel(x)
        axes.tick_params(labelbottom=True)


def fill_band(axes: "Axes", values: "pd.DataFrame", *, color: str) -> None:
    """Fill the area between the columns low and high over the column round."""
    axes.fill_between(
        values["round"], values["low"], values["high"], color=color, alpha=_BAND, linewidth=0
    )


def time_unit(longest: float) -> tuple[str, float]:
    """Return the name and the seconds of the unit in which durations up to `longest` are read."""
    units = (("hours", 3600.0), ("minutes", 60.0), ("seconds", 1.0))
    return next(unit for unit in units if longest >= 2 * unit[1] or unit[1] == 1)


@contextlib.contextmanager
def figure_style() -> Iterator[None]:
    """Draw with the project's look inside the block; the user's own settings have no effect."""
    import matplotlib as mpl
    import seaborn as sns

    with mpl.rc_context():
        # `set_theme` changes only some settings. A user's matplotlibrc may hold others.
        mpl.rcdefaults()
        sns.set_theme(style="whitegrid", rc=_RC)
        yield


def save_figure(figure: "Figure", files: Mapping[str, str | Path], *, title: str) -> None:
    """Write a figure to `files["pdf"]`, `files["png"]` and `files["svg"]`.

    The title is in the metadata of the files and not in the picture.
    """
    for kind, metadata in _METADATA.items():
        with atomic_write(files[kind]) as path:
            figure.savefig(path, format=kind, dpi=_DPI, metadata={**metadata, "Title": title})


@dataclass(frozen=True)
class Drawing:
    """Draws a figure and saves it. `figure` returns it from a spec, inside `figure_style`."""

    figure: "Callable[[Mapping[str, Any]], Figure]"

    def __call__(self, spec: Mapping[str, Any], files: Mapping[str, str | Path]) -> None:
        """Write the PDF, PNG and SVG."""
        with figure_style():
            save_figure(self.figure(spec), files, title=spec["title"])
