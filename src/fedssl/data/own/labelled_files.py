"""A file of an own dataset with its class and split, as a folder or CSV file gives them."""

from collections.abc import Iterable
from dataclasses import dataclass

from fedssl.errors import UserError

TRAIN = "train"


@dataclass(frozen=True)
class LabelledFile:
    """A labelled file.

    Attributes:
        name: name of the sample in the bank.
        path: path of the file.
        label: class name.
        split: name of the split, such as "train" or "test".
        line: line of the CSV file that names the file; None for a folder.
    """

    name: str
    path: str
    label: str
    split: str
    line: int | None = None


def check_classes(labels: Iterable[str], *, where: str) -> None:
    """Raise UserError if there are fewer than two classes; the message starts with `where`."""
    found = sorted(set(labels))
    if len(found) < 2:
        # With one class every score is 100 %, which is most likely a wrong folder.
        named = f"one class only, {found[0]!r}" if found else "no class"
        raise UserError(f"{where} has {named}; at least two are needed")
