"""Find what cannot be in a results folder: a file in place of a folder, a link to nowhere, a pipe.

Snakemake ends with a traceback on some of these, waits for ever on others, or has nothing to do.
"""

import os
import re
import stat
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from fedssl.errors import UserError

_FILE, _FOLDER = "a file", "a folder"
# The folder in which unfinished jobs keep their progress, which no rule names.
_STATE = "state"
# Archives may be missing, or elsewhere, once there is a bank.
_ARCHIVES = "archives"


@dataclass(eq=False)  # two places with the same names are not the same place
class _Place:
    """A place in the layout of the results folder.

    Attributes:
        names: a regular expression of the names that it can have.
        inside: the places in it, if it can be a folder.
        is_file: whether it can be a file.
    """

    names: str
    inside: dict[str, "_Place"] = field(default_factory=dict)
    is_file: bool = False

    @property
    def is_folder(self) -> bool:
        """Whether it can be a folder."""
        return bool(self.inside)

    @cached_property
    def fits(self) -> re.Pattern[str]:
        """The compiled expression."""
        return re.compile(self.names)


# Everything in a folder that a job writes as a whole: files, and folders of files.
_ANYTHING = _Place(".+", is_file=True)
_ANYTHING.inside[".+"] = _ANYTHING


def check_kinds(results: str, files: Iterable[str], folders: Iterable[str]) -> None:
    """Verify that there is no file in place of a folder of the results, nor the reverse.

    Names that no job writes are passed over.

    Args:
        results: the results folder; it need not exist.
        files: regular expressions of the files that jobs write.
        folders: regular expressions of the folders that jobs write as a whole.

    Raises:
        UserError: Something is in the wrong place, is a link to nothing, or is a pipe or a device.
    """
    layout = _Place(re.escape(results))
    for path in files:
        if place := _place(layout, path):
            place.is_file = True
    for path in (*folders, f"{layout.names}/{_STATE}"):
        if place := _place(layout, path):
            place.inside[_ANYTHING.names] = _ANYTHING
    if os.path.isdir(results) and (wrong := next(_misplaced(Path(results), [layout]), None)):
        raise UserError(wrong)


def _place(layout: _Place, path: str) -> _Place | None:
    """Return the place of a path, which is added if it is new; None for a path elsewhere."""
    if not path.startswith(f"{layout.names}/"):
        return None
    place = layout
    for names in path.removeprefix(f"{layout.names}/").split("/"):
        place = place.inside.setdefault(names, _Place(names))
    return place


def _misplaced(folder: Path, places: list[_Place]) -> Iterator[str]:
    """Yield a sentence for each misplaced entry of a folder that is one of `places`, and below."""
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except FileNotFoundError:  # a job has removed it meanwhile
        return
    except OSError as error:
        yield f"{folder} cannot be read ({error.strerror}); ask its owner for access."
        return
    inside = [place for parent in places for place in parent.inside.values()]
    for entry in entries:
        known = [place for place in inside if place.fits.fullmatch(entry.name)]
        if entry.name.startswith(".") or entry.name == _ARCHIVES or not known:
            continue
        kind = _kind(entry)
        if wrong := _wrong(entry, kind, known):
            yield f"{entry.path} {wrong}"
        # A link can lead back to a folder above, in which anything can be.
        elif kind == _FOLDER and not (_ANYTHING in known and entry.is_symlink()):
            yield from _misplaced(Path(entry.path), [place for place in known if place.is_folder])


def _kind(entry: "os.DirEntry[str]") -> str | None:
    """Return whether an entry is a file or a folder; None for all else, such as a broken link."""
    with suppress(OSError):  # a link to itself, or into a closed folder
        if entry.is_dir():
            return _FOLDER
        if entry.is_file():
            return _FILE
    return None


def _wrong(entry: "os.DirEntry[str]", kind: str | None, known: list[_Place]) -> str:
    """Return why an entry cannot be one of some places; "" if it can."""
    if kind is None:
        return _no_file(entry)
    if kind == _FILE:
        fits = any(place.is_file for place in known)
    else:
        # Snakemake itself removes an empty folder when it makes the file again.
        fits = any(place.is_folder for place in known) or not any(Path(entry.path).glob("*"))
    wanted = _FOLDER if kind == _FILE else _FILE
    return "" if fits else f"is {kind}, but {wanted} belongs there; move it away and run again."


def _no_file(entry: "os.DirEntry[str]") -> str:
    """Return what an entry is, other than a file or a folder; "" if it is gone."""
    try:
        mode = os.stat(entry.path).st_mode
    except OSError as error:
        with suppress(OSError):
            to = os.readlink(entry.path)
            return f"is a link to {to}, which cannot be read; put that back, or remove the link."
        gone = isinstance(error, FileNotFoundError)  # removed meanwhile
        return "" if gone else f"cannot be read ({error.strerror}); ask its owner for access."
    kind = {stat.S_IFIFO: "a named pipe", stat.S_IFSOCK: "a socket"}.get(stat.S_IFMT(mode))
    return f"is {kind or 'a device'}, but a file belongs there; remove it and run again."
