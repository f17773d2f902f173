"""What a pretraining is called, in words: the same in tables, figures and the report page."""

from collections.abc import Iterable, Mapping

from fedssl.grid.transmission import parse_name

# What clients send, in words.
FULL, BACKBONE_ONLY, NOT_FEDERATED = "full", "backbone-only", "not federated"
_WORDS = {
    "a0-i100-b0": "FVSSL",
    "a100-i0-b0": "FASSL",
    "a0-i0-b100": "FSSUAVL",
    "a50-i50-b0": "Model-Comb.",
    "a33-i33-b34": "FSSUAVL a33-i33-b34",  # table 6 has the same name for two splits
    "resnet18": "R-18",
    "vit": "ViT",
    "acop": "ACOP",
    "barlow-twins": "Barlow Twins",
    "simclr": "SimCLR",
    "fairavg": "FairAvg",
    "fedavg": "FedAvg",
    "fedu": "FedU",
    "l-dawa": "L-DAWA",
    "loss": "Loss",
    "e1": "E=1",
    "e5": "E=5",
    "e10": "E=10",
}
_ORDER = ("split", "arch", "method", "aggregator", "variant")
_UNSAID = ("variant", "base")


def word(value: str) -> str:
    """Return what a value of an axis is called; backbone-only is its rule with -bb."""
    rule, _ = parse_name(value)
    return _WORDS.get(rule, rule) + value[len(rule) :]


def pretraining_name(axes: Mapping[str, str], *, shown: Iterable[str]) -> str:
    """Return the words for those axes that are shown, as a table's row has them.

    Where encoders are named by their split, SimCLR goes without saying, as in the paper.
    """
    shown = set(shown)
    unsaid = {_UNSAID, ("method", "simclr")} if "split" in shown else {_UNSAID}
    said = (axis for axis in _ORDER if axis in shown and (axis, axes[axis]) not in unsaid)
    return " ".join(word(axes[axis]) for axis in said)
