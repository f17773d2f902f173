"""Find what cannot be in a results folder: a file in place of a folder, a link to nowhere, a pipe.

Snakemake ends with a traceback on some of these, waits for ever on others, or has nothing to do.
"""

import os
import re
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from fedssl.errors import UserError

# Folders in which jobs keep what is no output of a rule.
_FREE = ("state",)


@dataclass(eq=False)  # two places of a name are not the same place
class _Place:
    """What the workflow keeps under a name in a folder.

    Attributes:
        name: the name, in which `{}` is any text.
        inside: what is in it if it is a folder.
        is_file: whether it can be a file.
    """

    name: str
    inside: dict[str, "_Place"] = field(default_factory=dict)
    is_file: bool = False

    @property
    def is_folder(self) -> bool:
        """Whether it can be a folder."""
        return bool(self.inside)

    @cached_property
    def fits(self) -> re.Pattern[str]:
        """The names that it can have."""
        return re.compile(".+".join(map(re.escape, self.name.split("{}"))))


# A file, or a folder of such: what is in a folder that a job writes as a whole.
_ANYTHING = _Place("{}", is_file=True)
_ANYTHING.inside["{}"] = _ANYTHING


def check_kinds(results: str, files: Iterable[str], folders: Iterable[str]) -> None:
    """Verify that all in a results folder is of the kind that belongs there.

    Args:
        results: the results folder; it need not exist.
        files: what jobs write, with `{}` for each wildcard.
        folders: the same, of folders that jobs write as a whole.

    Raises:
        UserError: Something is of another kind. What no job writes is passed over.
    """
    layout = _Place(results)
    for path in files:
        if place := _place(layout, path):
            place.is_file = True
    for path in (*folders, *(f"{results}/{name}" for name in _FREE)):
        if place := _place(layout, path):
            place.inside["{}"] = _ANYTHING
    if os.path.isdir(results) and (wrong := next(_misplaced(Path(results), [layout]), None)):
        raise UserError(wrong)


def _place(layout: _Place, path: str) -> _Place | None:
    """Return the place of a path, which is added if it is new; None for a path elsewhere."""
    if not path.startswith(f"{layout.name}/"):
        return None
    place = layout
    for name in path.removeprefix(f"{layout.name}/").split("/"):
        place = place.inside.setdefault(name, _Place(name))
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
        if entry.name.startswith(".") or not known:
            continue
        if wrong := _wrong(entry, known):
            yield f"{entry.path} {wrong}"
        # A link can lead back to a folder above, in which anything can be.
        elif entry.is_dir(follow_symlinks=_ANYTHING not in known):
            yield from _misplaced(Path(entry.path), [place for place in known if place.is_folder])


def _wrong(entry: "os.DirEntry[str]", known: list[_Place]) -> str:
    """Return what is wrong with an entry that is one of some places; "" if nothing is."""
    if entry.is_dir():
        # Snakemake itself removes an empty folder when it makes the file again.
        fits = any(place.is_folder for place in known) or not any(Path(entry.path).glob("*"))
        found, wanted = "a folder", "a file"
    elif entry.is_file():
        fits = any(place.is_file for place in known)
        found, wanted = "a file", "a folder"
    else:
        return _odd(entry)
    return "" if fits else f"is {found}, but {wanted} belongs there; move it away and run again."


def _odd(entry: "os.DirEntry[str]") -> str:
    """Return what an entry is that is neither a file nor a folder; "" if it is gone."""
    try:
        mode = entry.stat().st_mode
    except OSError as error:
        if entry.is_symlink():
            to = os.readlink(entry.path)
            return f"is a link to {to}, which cannot be read; put that back, or remove the link."
        gone = isinstance(error, FileNotFoundError)  # removed meanwhile
        return "" if gone else f"cannot be read ({error.strerror}); ask its owner for access."
    kind = {stat.S_IFIFO: "a named pipe", stat.S_IFSOCK: "a socket"}.get(stat.S_IFMT(mode))
    return f"is {kind or 'a device'}, but a file belongs there; remove it and run again."
