"""Complete the configuration of users' own datasets, so that it has the keys of any dataset."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from fedssl.data.banks.settings import OwnFiles
from fedssl.data.file_names import existing_path
from fedssl.data.own import folder, table
from fedssl.data.own.settings import OwnDataset
from fedssl.errors import UserError
from fedssl.grid.configuration import Layer, key_text, origin
from fedssl.grid.places import special_characters
from fedssl.typed import typed

_KINDS = {"folder": folder.find_splits, "table": table.find_splits}
_DEFAULTS = {
    "access": None,
    "bits": None,
    "citation": "none",
    "classes": None,
    "dtype": "int16",
    "licence": "not stated",
    "max_bad_share": 0.01,
    "max_megabytes": OwnFiles.max_megabytes,
    "max_megapixels": OwnFiles.max_megapixels,
    "max_minutes": OwnFiles.max_minutes,
    "notes": None,
    "size": 128,
    "test_share": 0.2,
}
# Key -> the kind or modality that it is for.
_ONLY_FOR = {
    "bits": "image",
    "dtype": "audio",
    "max_megapixels": "image",
    "max_minutes": "audio",
    "size": "image",
    "test_share": "folder",
}


def with_own_datasets(config: Mapping[str, Any], layers: Sequence[Layer]) -> dict[str, Any]:
    """Return the configuration with the entries of users' own datasets completed.

    The splits are found by listing the folder or reading the CSV file.

    Raises:
        UserError: the folder or CSV file is missing or invalid; the message names the key and the
            configuration file.
    """
    # This runs at the start of every command, so no recording or image is opened here.
    datasets = {
        name: _completed(name, entry, layers) if is_own(entry) else entry
        for name, entry in config["datasets"].items()
    }
    return {**config, "datasets": datasets}


def is_own(entry: Mapping[str, Any]) -> bool:
    """Return whether the entry is a user's own dataset and not a set of archives."""
    return any(kind in entry for kind in _KINDS)


def source(entry: Mapping[str, Any]) -> tuple[str, Path]:
    """Return the kind of an own dataset, "folder" or "table", and its path."""
    kind = next(kind for kind in _KINDS if kind in entry)
    return kind, Path(existing_path(os.path.expanduser(entry[kind])))


def _completed(name: str, entry: Mapping[str, Any], layers: Sequence[Layer]) -> dict[str, Any]:
    kind, path = source(entry)
    key = ("datasets", name, kind)
    try:
        _check_keys(typed(OwnDataset, entry), kind)
        if special := special_characters(str(path)):
            raise UserError(f"{path}: {special}")
        splits = _KINDS[kind](path)
    except UserError as error:
        raise UserError(f"{origin(key, layers)}: {key_text(key)}: {error}.") from error
    # The counts are None: how many files there are is known only when the bank is built.
    counts = dict.fromkeys(splits)
    return {**_DEFAULTS, "title": name, "archives": {}, "splits": counts, **entry}


def _check_keys(own: OwnDataset, kind: str) -> None:
    if own.folder and own.table:
        raise UserError("the entry has both folder and table; keep one of the two")
    # With another kind or modality these keys would have no effect, so they are refused.
    for key, what in _ONLY_FOR.items():
        if getattr(own, key) is not None and what not in (kind, own.modality):
            raise UserError(f"{key} is only valid for a dataset of kind {what}; remove it")
