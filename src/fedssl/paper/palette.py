"""The colours, dashes and markers of figures: one colour has one meaning in all figures.

`tests/unit/test_palette.py` holds the palette to its rules: each colour has a contrast of 3:1 on
white, and two colours differ for readers with any of three colour vision deficiencies.
"""

from collections.abc import Mapping
from dataclasses import astuple, dataclass
from typing import Literal

from fedssl.grid.splits import parse_split
from fedssl.grid.transmission import parse_name


@dataclass(frozen=True)
class LineStyle:
    """Colour of a line as hex, its dashes (empty for solid) and its marker.

    Dashes and markers tell lines apart in grey.
    """

    color: str
    dashes: tuple[float, ...]
    marker: str

    @property
    def linestyle(self) -> Literal["solid"] | tuple[float, tuple[float, ...]]:
        """The dashes in matplotlib's form."""
        return (0, self.dashes) if self.dashes else "solid"


@dataclass(frozen=True)
class PointStyle:
    """Colour of points as hex, and their marker, which tells points apart in grey."""

    color: str
    marker: str


INK = "#333333"  # texts and marks that stand for nothing in particular
AREA = "#b9b9b9"  # areas with an outline of INK
REFERENCE = "#757575"  # random init and chance
_IMAGE, _AUDIO, _BOTH = "#2f7fd6", "#d9541e", "#009e63"

# An encoder pretrained on images only has the colour of images, and so on.
_SPLITS = {
    "a0-i100-b0": LineStyle(_IMAGE, (4, 1.5), "s"),
    "a100-i0-b0": LineStyle(_AUDIO, (1, 1), "o"),
    "a0-i0-b100": LineStyle(_BOTH, (), "D"),
    "a50-i50-b0": LineStyle("#9e1c9e", (3, 1.25, 1.5, 1.25), "^"),
    "a33-i33-b34": LineStyle("#614900", (6, 1, 1, 1, 1, 1), "v"),
}
_MIXED_MARKERS = "P<X>h"  # by the percentage of clients with both modalities

_AGGREGATORS = {
    "fedavg": ("#114361", "o"),
    "fairavg": ("#40260b", "s"),
    "loss": ("#3000bf", "^"),
    "fedu": ("#5e9e37", "D"),
    "l-dawa": ("#9e0077", "v"),
    "centralised": ("#500080", "P"),
}
_OTHER_AGGREGATOR = ("#000000", "X")
_BACKBONE_ONLY = (4, 1.5)
_FURTHER_DASHES = ((1, 1), (3, 1.25, 1.5, 1.25), (6, 1, 1, 1, 1, 1))

# The first dataset of a modality has the colour of the modality.
_DATASETS = {
    "image": ((_IMAGE, "#4e4ede"), "sDPX"),
    "audio": ((_AUDIO, "#9e1c3d"), "o^v*"),
}

# Bars differ in lightness and not in hue, which always stands for something else.
TRANSMISSION_COLORS = {"full": INK, "backbone-only": "#8c8c8c"}


def split_style(split: str) -> LineStyle:
    """Return the line style of a modality split.

    A split without a colour of its own gets the colours of audio, image and both, mixed by its
    percentages.
    """
    if split in _SPLITS:
        return _SPLITS[split]
    parts = astuple(parse_split(split))
    anchors = [_channels(color) for color in (_AUDIO, _IMAGE, _BOTH)]
    mixed = (sum(p * anchor[i] for p, anchor in zip(parts, anchors, strict=True)) for i in range(3))
    color = "#" + "".join(f"{round(value / 100):02x}" for value in mixed)
    return LineStyle(color, (), _MIXED_MARKERS[parts[2] * (len(_MIXED_MARKERS) - 1) // 100])


def _channels(color: str) -> tuple[int, ...]:
    return tuple(int(color[i : i + 2], 16) for i in (1, 3, 5))


def aggregator_style(aggregator: str, variant: int) -> LineStyle:
    """Return the line style of an aggregator and variant.

    The rule decides colour and marker; a rule without a colour is black. Lines of the variant base
    (`variant` 0) are solid, or dashed for backbone-only. Other variants have dashes of their own.
    """
    rule, transmit = parse_name(aggregator)
    color, marker = _AGGREGATORS.get(rule, _OTHER_AGGREGATOR)
    if variant > 0:
        return LineStyle(color, _FURTHER_DASHES[(variant - 1) % len(_FURTHER_DASHES)], marker)
    return LineStyle(color, _BACKBONE_ONLY if transmit == "backbone" else (), marker)


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
    """Return the point style of a modality, such as an average over its datasets."""
    return dataset_styles({"": modality})[""]


def meanings() -> dict[str, str]:
    """Return each thing that has a colour of its own, and the colour."""
    return {
        **{split: style.color for split, style in _SPLITS.items()},
        **{rule: color for rule, (color, _) in _AGGREGATORS.items()},
        **{f"second {name} dataset": colors[1] for name, (colors, _) in _DATASETS.items()},
        "an aggregator without a colour": _OTHER_AGGREGATOR[0],
        "random init": REFERENCE,
    }
