"""What the listing of a folder or a csv says of one file."""

from collections.abc import Iterable
from dataclasses import dataclass

from fedssl.errors import UserError

TRAIN = "train"


@dataclass(frozen=True)
class LabelledFile:
    """A labelled file.

    Attributes:
        name: what the bank calls it.
        path: where it is.
        label: its class.
        split: train, test or another.
        named_in: the line of the csv that names it; empty in a folder.
    """

    name: str
    path: str
    label: str
    split: str
    named_in: str = ""


def check_classes(labels: Iterable[str], *, where: str) -> None:
    """Raise UserError unless there are at least two classes."""
    found = sorted(set(labels))
    if len(found) < 2:
        named = f"one class only, {found[0]!r}" if found else "no class"
        raise UserError(f"{where} has {named}; at least two are needed")
