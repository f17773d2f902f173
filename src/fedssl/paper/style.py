"""How figures look: one colour for one thing everywhere, and the same bytes every time."""

import contextlib
import textwrap
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fedssl.files import atomic_write
from fedssl.grid.splits import parse_split
from fedssl.grid.transmission import parse_name
from fedssl.paper.text_table import SCALED

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_RC = {
    # matplotlib brings it: widths are the same on every machine, and a browser's own font is
    # narrower, so that what was laid out here is cut off nowhere.
    "font.family": "DejaVu Sans",
    "axes.spines.right": False,
    "axes.spines.top": False,
    "grid.color": "#dddddd",
    "grid.linewidth": 0.5,
    "pdf.fonttype": 42,  # text stays text
    "svg.fonttype": "none",
    "svg.hashsalt": "fedssl",  # identifiers would otherwise differ from run to run
}
# Without a date or a version the same numbers give the same file.
_METADATA: dict[str, dict[str, Any]] = {
    "pdf": {"CreationDate": None, "Creator": None, "Producer": None},
    "png": {"Software": None},
    "svg": {"Date": None, "Creator": None},
}
_DPI = 200


@dataclass(frozen=True)
class LineStyle:
    """A colour as hex, and dashes that tell lines apart without it (none: solid)."""

    color: str
    dashes: tuple[float, ...]

    @property
    def linestyle(self) -> str | tuple[float, tuple[float, ...]]:
        """The dashes as matplotlib takes them."""
        return (0, self.dashes) if self.dashes else "solid"


@dataclass(frozen=True)
class PointStyle:
    """A colour as hex, and a mark that tells points apart without it."""

    color: str
    marker: str


# Okabe and Ito's palette, told apart with any colour vision.
_AUDIO, _IMAGE, _BOTH = (213, 94, 0), (0, 114, 178), (0, 158, 115)
_NAMED = {
    "a0-i100-b0": LineStyle("#0072b2", (4, 1.5)),
    "a100-i0-b0": LineStyle("#d55e00", (1, 1)),
    "a0-i0-b100": LineStyle("#009e73", ()),
    "a50-i50-b0": LineStyle("#cc79a7", (3, 1.25, 1.5, 1.25)),
    "a33-i33-b34": LineStyle("#000000", (6, 1, 1, 1, 1, 1)),
}
# What is sent, in the colours of the palette that are furthest apart.
TRANSMISSION_COLORS = {"full": "#0072b2", "backbone-only": "#d55e00"}


def split_style(split: str) -> LineStyle:
    """Return the line of a modality split, the same in every figure.

    A split without a colour of its own mixes those of audio, image and both by their percentages.
    """
    if split in _NAMED:
        return _NAMED[split]
    parts, anchors = astuple(parse_split(split)), (_AUDIO, _IMAGE, _BOTH)
    mixed = (sum(p * anchor[i] for p, anchor in zip(parts, anchors, strict=True)) for i in range(3))
    return LineStyle("#" + "".join(f"{round(value / 100):02x}" for value in mixed), ())


# Paul Tol's muted palette, so that no aggregator has the colour of a split.
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
    """Return the line of an aggregator, the same in every figure.

    Its colour is the rule's, black where none is declared; backbone-only is dashed, and so,
    otherwise, is the `variant`-th variant other than base, which is 0.
    """
    rule, transmit = parse_name(aggregator)
    color = _AGGREGATORS.get(rule, "#000000")
    if variant > 0:
        return LineStyle(color, _FURTHER_DASHES[(variant - 1) % len(_FURTHER_DASHES)])
    return LineStyle(color, _BACKBONE_ONLY if transmit == "backbone" else ())


# None of a split's: cold for images, warm for audio; lightness rises in four even steps, for grey.
_DATASETS = {
    "image": (("#332288", "#72a9d2"), "sDPX"),
    "audio": (("#9c4263", "#e3c94c"), "o^v*"),
}


def dataset_styles(modalities: Mapping[str, str]) -> dict[str, PointStyle]:
    """Return the points of each dataset, given its modality, in the study's order.

    From the third dataset of a modality on, colours come back with other marks.
    """
    styles: dict[str, PointStyle] = {}
    for modality, (colors, markers) in _DATASETS.items():
        alike = [name for name in modalities if modalities[name] == modality]
        for place, name in enumerate(alike):
            color, marker = colors[place % len(colors)], markers[place % len(markers)]
            styles[name] = PointStyle(color, marker)
    return {name: styles[name] for name in modalities}


def modality_style(modality: str) -> PointStyle:
    """Return the points of what is an average over the datasets of a modality."""
    return dataset_styles({"": modality})[""]


def figure_title(spec: Mapping[str, Any], *, characters: int, notes: Iterable[str] = ()) -> str:
    """Return a title of lines of at most so many characters, which says what is scaled."""
    lines = [spec["title"], *notes]
    if spec["scale"] != "paper":
        lines.append(f"{SCALED} ({spec['scale_note']})")
    return "\n".join(textwrap.fill(line, width=characters) for line in lines)


@contextlib.contextmanager
def figure_style() -> Iterator[None]:
    """Draw inside with the project's look, whatever the user's matplotlib settings."""
    import matplotlib as mpl
    import seaborn as sns

    with mpl.rc_context():
        mpl.rcdefaults()
        sns.set_theme(context="paper", style="whitegrid", rc=_RC)
        yield


def save_figure(figure: "Figure", outputs: Mapping[str, str | Path]) -> None:
    """Write `outputs["pdf"]`, `["png"]` and `["svg"]`."""
    for kind, metadata in _METADATA.items():
        with atomic_write(outputs[kind]) as path:
            figure.savefig(path, format=kind, dpi=_DPI, metadata=metadata)
