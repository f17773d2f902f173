"""The look of figures: each thing has the same colour everywhere, and files are reproducible."""

import contextlib
import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fedssl.files import atomic_write
from fedssl.grid.splits import parse_split
from fedssl.grid.transmission import parse_name
from fedssl.paper.text_table import SCALED

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# matplotlib and seaborn are imported inside functions: importing them takes a second, and planning
# a run imports this module without drawing anything.

_RC = {
    # matplotlib ships this font, so texts have the same width on every machine. The fonts that a
    # browser substitutes in an SVG are narrower, so no text is cut off there.
    "font.family": "DejaVu Sans",
    "axes.spines.right": False,
    "axes.spines.top": False,
    "grid.color": "#dddddd",
    "grid.linewidth": 0.5,
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
PANEL_LETTERS = "abcdefghijklmnopqrstuvwxyz"


@dataclass(frozen=True)
class LineStyle:
    """Colour of a line as hex, and its dashes, which tell lines apart in grey; empty for solid."""

    color: str
    dashes: tuple[float, ...]

    @property
    def linestyle(self) -> str | tuple[float, tuple[float, ...]]:
        """The dashes in matplotlib's form."""
        return (0, self.dashes) if self.dashes else "solid"


@dataclass(frozen=True)
class PointStyle:
    """Colour of points as hex, and their marker, which tells points apart in grey."""

    color: str
    marker: str


# The palette of Okabe and Ito, which colour-blind readers can tell apart.
_AUDIO, _IMAGE, _BOTH = (213, 94, 0), (0, 114, 178), (0, 158, 115)
_NAMED = {
    "a0-i100-b0": LineStyle("#0072b2", (4, 1.5)),
    "a100-i0-b0": LineStyle("#d55e00", (1, 1)),
    "a0-i0-b100": LineStyle("#009e73", ()),
    "a50-i50-b0": LineStyle("#cc79a7", (3, 1.25, 1.5, 1.25)),
    "a33-i33-b34": LineStyle("#000000", (6, 1, 1, 1, 1, 1)),
}
TRANSMISSION_COLORS = {"full": "#0072b2", "backbone-only": "#d55e00"}


def split_style(split: str) -> LineStyle:
    """Return the line style of a modality split.

    A split without a colour of its own gets the colours of audio, image and both, mixed by its
    percentages.
    """
    if split in _NAMED:
        return _NAMED[split]
    parts, anchors = astuple(parse_split(split)), (_AUDIO, _IMAGE, _BOTH)
    mixed = (sum(p * anchor[i] for p, anchor in zip(parts, anchors, strict=True)) for i in range(3))
    return LineStyle("#" + "".join(f"{round(value / 100):02x}" for value in mixed), ())


# The muted palette of Paul Tol, so that no aggregator has the colour of a split.
_AGGREGATORS = {
    "fedavg": "#332288",
    "fairavg": "#88ccee",
    "loss": "#117733",
    "fedu": "#999933",
    "l-dawa": "#882255",
    "centralised": "#555555",
}
_BACKBONE_ONLY = (4, 1.5)
_FURTHER_DASHES = ((1, 1), (3, 1.25, 1.5, 1.25), (6, 1, 1, 1, 1, 1))


def aggregator_style(aggregator: str, variant: int) -> LineStyle:
    """Return the line style of an aggregator and variant.

    The rule decides the colour; a rule without a colour is black. Lines of the variant base
    (`variant` 0) are solid, or dashed for backbone-only. Other variants have dashes of their own.
    """
    rule, transmit = parse_name(aggregator)
    color = _AGGREGATORS.get(rule, "#000000")
    if variant > 0:
        return LineStyle(color, _FURTHER_DASHES[(variant - 1) % len(_FURTHER_DASHES)])
    return LineStyle(color, _BACKBONE_ONLY if transmit == "backbone" else ())


# Cold colours for images and warm ones for audio, none of them a split's. Their lightness rises in
# four even steps, so that they differ in a grey print too.
_DATASETS = {
    "image": (("#332288", "#72a9d2"), "sDPX"),
    "audio": (("#9c4263", "#e3c94c"), "o^v*"),
}


def dataset_styles(modalities: Mapping[str, str]) -> dict[str, PointStyle]:
    """Return the point style of each dataset, given dataset -> modality in the study's order.

    From the third dataset of a modality on, colours repeat with other markers.
    """
    styles: dict[str, PointStyle] = {}
    for modality, (colors, markers) in _DATASETS.items():
        same = [name for name in modalities if modalities[name] == modality]
        for i, name in enumerate(same):
            styles[name] = PointStyle(colors[i % len(colors)], markers[i % len(markers)])
    return {name: styles[name] for name in modalities}


def modality_style(modality: str) -> PointStyle:
    """Return the point style of an average over the datasets of a modality."""
    return dataset_styles({"": modality})[""]


def add_title(
    figure: "Figure", spec: Mapping[str, Any], *, characters: int, notes: Iterable[str] = ()
) -> None:
    """Set the title, its notes and the mark of a scaled run, wrapped at a number of characters."""
    lines = [spec["title"], *notes]
    if spec["scale"] != "paper":
        lines.append(f"{SCALED} ({spec['scale_note']})")
    # matplotlib does not wrap titles by itself.
    text = "\n".join(textwrap.fill(line, width=characters) for line in lines)
    figure.suptitle(text, fontsize="medium")


def add_legend(
    figure: "Figure", *, columns: int, handles: "Sequence[Artist] | None" = None
) -> None:
    """Put a legend below all panels, by default of the lines of all panels, each label once."""
    if handles is None:
        lines = (axes.get_legend_handles_labels() for axes in figure.axes)
        labelled = (pair for found in lines for pair in zip(*found, strict=True))
        handles = list({label: handle for handle, label in labelled}.values())
    figure.legend(handles=handles, loc="outside lower center", ncols=columns, frameon=False)


def label_rounds(axes: "Axes") -> None:
    """Label the x axis as rounds; by default matplotlib would also mark half rounds."""
    from matplotlib.ticker import MaxNLocator

    axes.set_xlabel("round")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, steps=[1, 2, 5, 10]))


@contextlib.contextmanager
def figure_style() -> Iterator[None]:
    """Draw with the project's look inside the block; the user's own settings have no effect."""
    import matplotlib as mpl
    import seaborn as sns

    with mpl.rc_context():
        # `set_theme` changes only some settings. A user's matplotlibrc may hold others.
        mpl.rcdefaults()
        sns.set_theme(context="paper", style="whitegrid", rc=_RC)
        yield


def save_figure(figure: "Figure", files: Mapping[str, str | Path]) -> None:
    """Write a figure to `files["pdf"]`, `files["png"]` and `files["svg"]`."""
    for kind, metadata in _METADATA.items():
        with atomic_write(files[kind]) as path:
            figure.savefig(path, format=kind, dpi=_DPI, metadata=metadata)
