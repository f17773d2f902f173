"""A folder by class: `<folder>/<class>/...`, or `<folder>/train/<class>/...` and `test/` beside.

Files are found at every depth below their class. Links are followed, to files and to folders, for
people keep large collections elsewhere. Hidden files and folders are passed over.
"""

import hashlib
import os
from collections.abc import Iterator, Mapping
from operator import attrgetter
from pathlib import Path

from fedssl.data.own.labelled_files import TRAIN, LabelledFile, check_classes
from fedssl.errors import UserError

_SPLITS = (TRAIN, "validation", "test")
_LAYOUT = "a folder for each class, or train and test folders that hold one for each class"


def find_splits(folder: Path) -> list[str]:
    """Return the splits of a folder, looking at its folders only.

    Raises:
        UserError: it is no folder, or its folders are neither classes nor splits.
    """
    if not folder.is_dir():
        kind = "is no folder" if folder.exists() else "does not exist"
        raise UserError(f"{folder} {kind}; it must be {_LAYOUT}")
    splits = _split_folders(folder)
    for place in (folder / split for split in splits) if splits else (folder,):
        check_classes((entry.name for entry in _folders(place)), where=f"{place}/")
    return splits or [TRAIN, "test"]


def find_files(folder: Path, *, test_share: float) -> list[LabelledFile]:
    """Return every file by name; without split folders a share of each class is `test`.

    Which files those are is drawn from their names, so that a new file moves hardly any other
    and none depends on the order in which the disk lists them.
    """
    splits = {name: _classes(folder / name, f"{name}/") for name in _split_folders(folder)}
    if not splits:
        splits = _split_at_random(_classes(folder, ""), test_share)
    files = [
        LabelledFile(name, os.path.join(folder, name), label, split)
        for split, classes in splits.items()
        for label, names in classes.items()
        for name in names
    ]
    return sorted(files, key=attrgetter("name"))


def _split_folders(folder: Path) -> list[str]:
    """Return the split folders, or none where the folders are classes."""
    names = [entry.name for entry in _folders(folder)]
    splits = [split for split in _SPLITS if split in names]
    if TRAIN not in splits:
        return []
    if others := sorted(set(names) - set(splits)):
        raise UserError(
            f"{folder} holds {', '.join(splits)} and beside them {', '.join(others)}; "
            f"it must be {_LAYOUT}"
        )
    if len(splits) == 1:
        raise UserError(f"{folder} holds train and no test or validation folder beside it")
    return splits


def _classes(place: Path, prefix: str) -> dict[str, list[str]]:
    """Return class -> names of its files, which start with a prefix and the class."""
    return {
        entry.name: list(_files(entry.path, f"{prefix}{entry.name}/")) for entry in _folders(place)
    }


def _folders(place: Path) -> list[os.DirEntry[str]]:
    return [entry for entry in _entries(str(place)) if entry.is_dir()]


def _files(place: str, prefix: str, above: tuple[str, ...] = ()) -> Iterator[str]:
    real = os.path.realpath(place)
    if real in above:
        raise UserError(f"{place} links to {real}, which contains it; remove the link")
    for entry in _entries(place):
        if entry.is_dir():
            yield from _files(entry.path, f"{prefix}{entry.name}/", (*above, real))
        else:
            yield prefix + entry.name


def _entries(place: str) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(place) as found:
            visible = [entry for entry in found if not entry.name.startswith(".")]
    except OSError as error:
        raise UserError(f"{place} cannot be read ({error.strerror})") from error
    for entry in visible:
        if not entry.name.isprintable():
            raise UserError(
                f"{place} holds {entry.name!r}, a name that cannot be printed; rename it"
            )
    return sorted(visible, key=attrgetter("name"))


def _split_at_random(
    classes: Mapping[str, list[str]], test_share: float
) -> dict[str, dict[str, list[str]]]:
    """Deal the files of each class to train and test; a class's last file stays in train."""
    splits: dict[str, dict[str, list[str]]] = {TRAIN: {}, "test": {}}
    for label, names in classes.items():
        drawn = sorted(names, key=_random_key)
        tests = min(round(test_share * len(names)), len(names) - 1)
        splits["test"][label] = drawn[: max(tests, 0)]
        splits[TRAIN][label] = drawn[max(tests, 0) :]
    return splits


def _random_key(name: str) -> str:
    return hashlib.sha256(os.fsencode(name)).hexdigest()
