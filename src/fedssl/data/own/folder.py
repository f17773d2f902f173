"""Find the files of an own dataset in a folder with one folder per class.

The layout is `<folder>/<class>/...`, or `<folder>/<split>/<class>/...` with the splits train and
test or validation. Files are found at every depth below their class. Links to files and folders are
followed, because large collections are often stored elsewhere. Hidden files and leftovers of
operating systems are skipped. Names and classes are in Unicode form NFC, whatever the disk has.
"""

import hashlib
import os
from collections import Counter
from collections.abc import Iterator, Mapping
from operator import attrgetter
from pathlib import Path

from fedssl.data.file_names import can_be_shown, is_leftover, one_form
from fedssl.data.own.labelled_files import TRAIN, LabelledFile, check_classes
from fedssl.errors import UserError

_SPLITS = (TRAIN, "validation", "test")
# Folders with two of these names are splits, in lower case, and hardly classes.
_LIKE_SPLITS = {*_SPLITS, "training", "val", "valid", "dev", "eval", "evaluation", "testing"}
_LAYOUT = "a folder for each class, or train and test folders that hold one for each class"


def find_splits(folder: Path) -> list[str]:
    """Return the splits of a folder; only its folders are listed, not its files.

    Raises:
        UserError: the folder does not exist, or its folders are neither classes nor splits.
    """
    if not folder.is_dir():
        kind = "is not a folder" if folder.exists() else "does not exist"
        raise UserError(f"{folder} {kind}; it must be {_LAYOUT}")
    splits = _split_folders(folder)
    for place in (folder / split for split in splits) if splits else (folder,):
        classes = _folders(place)
        check_classes((one_form(entry.name) for entry in classes), where=f"{place}/")
        if empty := [entry.name for entry in classes if not any(files_below(entry.path))]:
            raise UserError(
                f"{place}/ has a folder without files, {', '.join(empty)}; add the files of this "
                "class, or remove the folder"
            )
    return splits or [TRAIN, "test"]


def find_files(folder: Path, *, test_share: float) -> list[LabelledFile]:
    """Return all files, sorted by name.

    Without split folders, the share `test_share` of each class becomes the split `test`.
    """
    splits = {name: _classes(folder / name, f"{name}/") for name in _split_folders(folder)}
    if not splits:
        splits = _split_at_random(_classes(folder, ""), test_share)
    files = [
        # Strings instead of Path objects: a folder can have 100,000 files.
        LabelledFile(one_form(name), os.path.join(folder, name), label, split)
        for split, classes in splits.items()
        for label, names in classes.items()
        for name in names
    ]
    return sorted(files, key=attrgetter("name"))


def count_leftovers(folder: Path) -> Counter[str]:
    """Return how many files and folders of each name `find_files` passes over, at any depth.

    Hidden ones are not counted.
    """
    found: Counter[str] = Counter()
    for _, folders, files in os.walk(folder, followlinks=False):
        found.update(n for n in (*folders, *files) if is_leftover(n) and not n.startswith("."))
        folders[:] = [name for name in folders if not is_leftover(name)]
    return found


def _split_folders(folder: Path) -> list[str]:
    """Return the names of the split folders; empty if the folders are classes."""
    # A folder named "train" decides. The name "test" alone could be a class.
    names = [entry.name for entry in _folders(folder)]
    splits = [split for split in _SPLITS if split in names]
    if TRAIN not in splits:
        _check_no_splits(folder, names)
        return []
    if others := sorted(set(names) - set(splits)):
        raise UserError(
            f"{folder} holds the splits {', '.join(splits)} and also {', '.join(others)}; "
            f"it must be {_LAYOUT}, and splits are named {', '.join(_SPLITS)}"
        )
    if len(splits) == 1:
        raise UserError(f"{folder} holds train, but no test or validation folder; add one")
    return splits


def _check_no_splits(folder: Path, names: list[str]) -> None:
    """Raise UserError if all folders have names of splits, but other ones than ours."""
    if len(names) > 1 and all(name.casefold() in _LIKE_SPLITS for name in names):
        raise UserError(
            f"{folder} holds {', '.join(names)}, which look like splits and not like classes; "
            f"rename them to {TRAIN} and to test or validation"
        )


def _classes(place: Path, prefix: str) -> dict[str, list[str]]:
    """Return class -> names of its files; a name is `<prefix><class>/<path below the class>`."""
    found: dict[str, list[str]] = {}
    for entry in _folders(place):
        names = (f"{prefix}{entry.name}/{name}" for name in files_below(entry.path))
        found.setdefault(one_form(entry.name), []).extend(names)
    return found


def _folders(place: Path) -> list[os.DirEntry[str]]:
    entries = _visible_entries(str(place))
    # Otherwise a class on a disk that is not mounted would be left out silently.
    for entry in entries:
        if entry.is_symlink() and not os.path.exists(entry.path):
            raise UserError(
                f"{entry.path} is a link to {os.readlink(entry.path)}, which cannot be read; mend "
                "or remove the link"
            )
    return [entry for entry in entries if entry.is_dir()]


def files_below(place: str, prefix: str = "", above: tuple[str, ...] = ()) -> Iterator[str]:
    """Yield the paths of all files below a folder, relative to it."""
    # A link to a folder above would lead in circles. Compare real paths, not names: the same folder
    # may be linked from two places, which is fine.
    real = os.path.realpath(place)
    if real in above:
        raise UserError(f"{place} links to {real}, which contains it; remove the link")
    for entry in _visible_entries(place):
        if _is_folder(entry):
            yield from files_below(entry.path, f"{prefix}{entry.name}/", (*above, real))
        else:
            yield prefix + entry.name


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link that leads to itself
        return False


def _visible_entries(place: str) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(place) as found:
            visible = [entry for entry in found if not is_leftover(entry.name)]
    except OSError as error:
        raise UserError(f"{place} cannot be read ({error.strerror})") from error
    # Names that are not valid Unicode cannot be stored in Parquet, and control characters would
    # garble messages.
    for entry in visible:
        if not can_be_shown(entry.name):
            raise UserError(
                f"{place} holds {entry.name!r}, a name that cannot be printed; rename it"
            )
    return sorted(visible, key=attrgetter("name"))


def _split_at_random(
    classes: Mapping[str, list[str]], test_share: float
) -> dict[str, dict[str, list[str]]]:
    """Divide the files of each class into train and test; at least one file stays in train."""
    splits: dict[str, dict[str, list[str]]] = {TRAIN: {}, "test": {}}
    for label, names in classes.items():
        drawn = sorted(names, key=_random_key)
        tests = min(round(test_share * len(names)), len(names) - 1)
        splits["test"][label] = drawn[: max(tests, 0)]
        splits[TRAIN][label] = drawn[max(tests, 0) :]
    return splits


# Sorting by a hash of the name gives a random but stable order: it does not depend on the order in
# which the disk lists files, and a new file moves at most one other file to another split.
def _random_key(name: str) -> str:
    return hashlib.sha256(os.fsencode(one_form(name))).hexdigest()
