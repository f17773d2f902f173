"""The few keys of an own dataset, completed to an entry like those of the datasets file."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from fedssl.data.own import folder, table
from fedssl.errors import UserError
from fedssl.grid.configuration import Layer, key_text, origin

_KINDS = {"folder": folder.find_splits, "table": table.find_splits}
# Keys that mean something for one kind or modality only.
_ONLY = {"test_share": "folder", "size": "image"}
_DEFAULTS = {
    "access": None,
    "citation": "none",
    "classes": None,
    "licence": "not stated",
    "max_bad_share": 0.01,
    "notes": None,
    "size": 128,
    "test_share": 0.2,
}


def with_own_datasets(config: Mapping[str, Any], layers: Sequence[Layer]) -> dict[str, Any]:
    """Return the configuration with every own dataset's entry completed from what is there.

    Looks at folder names, or at the rows of a csv; opens no recording or image.

    Raises:
        UserError: the folder or csv is not there or not right; names the key and its file.
    """
    datasets = {
        name: _completed(name, entry, layers) if is_own(entry) else entry
        for name, entry in config["datasets"].items()
    }
    return {**config, "datasets": datasets}


def is_own(entry: Mapping[str, Any]) -> bool:
    """Return whether an entry names the user's own files instead of archives."""
    return any(kind in entry for kind in _KINDS)


def source(entry: Mapping[str, Any]) -> tuple[str, Path]:
    """Return (kind, path) of an own dataset: folder or table, and where it is."""
    kind = next(kind for kind in _KINDS if kind in entry)
    return kind, Path(entry[kind]).expanduser()


def _completed(name: str, entry: Mapping[str, Any], layers: Sequence[Layer]) -> dict[str, Any]:
    kind, path = source(entry)
    key = ("datasets", name, kind)
    try:
        _check_keys(entry, kind)
        splits = _KINDS[kind](path)
    except UserError as error:
        raise UserError(f"{origin(key, layers)}: {key_text(key)}: {error}.") from error
    counts = dict.fromkeys(splits)
    return {**_DEFAULTS, "title": name, "archives": {}, "splits": counts, **entry}


def _check_keys(entry: Mapping[str, Any], kind: str) -> None:
    if all(kind in entry for kind in _KINDS):
        raise UserError("there is a table as well; keep one of the two")
    for key, what in _ONLY.items():
        if key in entry and what not in (kind, entry["modality"]):
            raise UserError(f"{key} is given, which is for a dataset of kind {what}; remove it")
