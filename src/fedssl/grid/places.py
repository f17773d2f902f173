"""The folders and files of a run: expand and check the paths in the configuration."""

import os
import re
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from fedssl.errors import UserError
from fedssl.grid.configuration import Layer, located

_PLACES = ("results_dir", "data_dir", "mirror", "pins")
_FOLDERS = ("results_dir", "data_dir")
# Snakemake would take what these enclose for a wildcard or the name of another path.
_SPECIAL = "{}<>"
_LONGEST = 255  # bytes of a name on all common file systems
# Folders of the checkout that no run may write to.
_CHECKOUT = {".git", ".snakemake", ".venv", "benchmarks", "config", "docs", "envs", "profiles"}
_CHECKOUT |= {"slurm", "src", "tests", "workflow"}


def with_places(config: Mapping[str, Any], layers: Sequence[Layer]) -> dict[str, Any]:
    """Return the configuration with normalised paths, in which `~` and variables are expanded.

    Raises:
        UserError: A path cannot be used. The message names its key.
    """
    places = {key: _place(config[key]) for key in _PLACES}
    for key, place in places.items():
        if place and (wrong := _wrong(key, place)):
            raise UserError(f"{located((key,), layers)} is {place!r}; {wrong}.")
    return {**config, **places}


def special_characters(path: str) -> str:
    """Return what is wrong with a path that Snakemake would not take literally; "" for others."""
    found = " ".join(character for character in _SPECIAL if character in path)
    return found and f"it must be without {found}, which have a meaning in Snakemake; rename it"


def _place(given: str | None) -> Any:
    if given is None or "://" in given:  # a mirror can be a URL, or not set
        return given
    return str(Path(os.path.expanduser(os.path.expandvars(given))))


def _wrong(key: str, place: str) -> str:
    """Return what is wrong with the value of a key; "" if it can be used."""
    if "://" in place:
        is_mirror = key == "mirror" and re.match("https?://", place)
        wanted = "a folder or an http or https address" if key == "mirror" else "a path on a disk"
        return "" if is_mirror else f"it must be {wanted}"
    if "$" in place or place.startswith("~"):
        return "there is no such environment variable or user"
    if key == "results_dir" and re.search(r"\s", place):
        return "it must be without white space, because spaces separate paths in the tables"
    if not place.isprintable():
        return "it must be without characters that cannot be printed"
    if any(len(os.fsencode(part)) > _LONGEST for part in Path(place).parts):
        return f"a name in it has more than {_LONGEST} bytes; shorten it"
    if key in _FOLDERS:
        return special_characters(place) or _owned(place) or _no_folder(Path(place))
    return _no_file(Path(place)) if key == "pins" else ""


def _owned(place: str) -> str:
    """Return what is wrong with a folder that is not a run's own; "" for others."""
    path, here = Path(os.path.abspath(place)), Path.cwd()
    if here.is_relative_to(path):
        return "a run needs a folder of its own; name one, such as results/mine"
    inside = path.relative_to(here).parts[0] if path.is_relative_to(here) else ""
    if inside in _CHECKOUT:
        return f"{inside} belongs to the workflow; name another folder, such as results/mine"
    return ""


def _no_folder(path: Path) -> str:
    """Return which file is in the way of a folder; "" if none is."""
    existing = next((place for place in (path, *path.parents) if os.path.lexists(place)), path)
    if existing.is_symlink() and not existing.exists():
        return f"{existing} is a link to {os.readlink(existing)}, which does not exist"
    if existing.exists() and not existing.is_dir():
        return f"{existing} is a file; name a folder"
    return ""


def _no_file(path: Path) -> str:
    """Return why a path cannot be that of a file; "" if it can."""
    return f"{path} is a folder; name a file" if path.is_dir() else _no_folder(path.parent)


def check_directory(folder: Path, *, asking: bool) -> None:
    """Verify that Snakemake can keep its notes below a run's working directory.

    With `asking`, nothing is written to notes that are there.

    Raises:
        UserError: It cannot.
    """
    notes = folder / ".snakemake"
    try:
        notes.mkdir(parents=True, exist_ok=True)
        if not asking:
            tempfile.TemporaryFile(dir=notes).close()
    except OSError as error:
        raise UserError(
            f"{notes.absolute()} cannot be written ({error.strerror}), and Snakemake keeps its "
            "notes there; name a folder of your own with --directory."
        ) from error
