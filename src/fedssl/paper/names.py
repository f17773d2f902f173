"""Name pretrainings in words, the same way in tables, figures and the report page."""

from collections.abc import Iterable, Mapping

from fedssl.grid.transmission import parse_name

# What clients send to the server.
FULL, BACKBONE_ONLY, NOT_FEDERATED = "full", "backbone-only", "not federated"
_WORDS = {
    "a0-i100-b0": "FVSSL",
    "a100-i0-b0": "FASSL",
    "a0-i0-b100": "FSSUAVL",
    "a50-i50-b0": "Model-Comb.",
    # The paper calls this split FSSUAVL too (table 6), which would name two rows alike.
    "a33-i33-b34": "FSSUAVL a33-i33-b34",
    "resnet18": "R-18",
    "vit": "ViT",
    "acop": "ACOP",
    "barlow-twins": "Barlow Twins",
    "byol": "BYOL",
    "cifar10": "C-10",
    "simclr": "SimCLR",
    "fairavg": "FairAvg",
    "fedavg": "FedAvg",
    "fedema": "FedEMA",
    "fedu": "FedU",
    "l-dawa": "L-DAWA",
    "loss": "Loss",
    "median": "Median",
    "orchestra": "Orchestra",
    "trimmed-mean": "Trimmed mean",
    "e1": "E=1",
    "e5": "E=5",
    "e10": "E=10",
}
# The papers' names of the splits would call a user's own encoders by those of the papers.
_OWN_SPLITS = {"a0-i100-b0": "images", "a100-i0-b0": "audio", "a0-i0-b100": "images+audio"}
_ORDER = ("split", "arch", "method", "aggregator", "variant")
_OMITTED = ("variant", "base")
_USUAL = {("method", "simclr"), ("aggregator", "fedavg")}


def word(value: str) -> str:
    """Return the printed name of an axis value; `-bb` stays at the end of an aggregator's name."""
    rule, _ = parse_name(value)
    return _WORDS.get(rule, rule) + value[len(rule) :]


def pretraining_name(axes: Mapping[str, str], *, shown: Iterable[str]) -> str:
    """Return the names of the shown axes, joined in the order of the papers' rows."""
    shown = set(shown)
    # FSSUAVL names its encoders by split, and most of its rows mention neither SimCLR nor FedAvg.
    omitted = {_OMITTED, *_USUAL} if "split" in shown else {_OMITTED}
    named = (axis for axis in _ORDER if axis in shown and (axis, axes[axis]) not in omitted)
    # Once, if a method and its aggregator have one name.
    return " ".join(dict.fromkeys(word(axes[axis]) for axis in named))


def own_name(axes: Mapping[str, str], *, shown: Iterable[str]) -> str:
    """Return the names of the shown axes for a study of a user's own."""
    shown = set(shown)
    named = (axis for axis in _ORDER if axis in shown and (axis, axes[axis]) != _OMITTED)
    return " ".join(_own_word(axis, axes[axis]) for axis in named)


def _own_word(axis: str, value: str) -> str:
    # A user's variant may have the name of a paper's and mean something else.
    if axis == "variant":
        return value
    return _OWN_SPLITS.get(value, value) if axis == "split" else word(value)
