"""A file of an own dataset with its class and split, as a folder or CSV file gives them."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
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


def odd_classes(files: Sequence[LabelledFile]) -> Iterator[str]:
    """Yield a sentence about classes that are probably mistakes."""
    spellings: defaultdict[str, set[str]] = defaultdict(set)
    for file in files:
        spellings[" ".join(file.label.casefold().split())].add(file.label)
    for names in spellings.values():
        if len(names) > 1:
            listed = ", ".join(repr(name) for name in sorted(names))
            yield f"{listed} are different classes; give them one name if they are the same"
    trained = {file.label for file in files if file.split == TRAIN}
    if untrained := sorted({file.label for file in files} - trained):
        yield f"no training sample has the class {', '.join(untrained)}, so it is never predicted"
