"""The user's own files before one is opened: which there are, and whether they are the same."""

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from fedssl.data.own import folder, table
from fedssl.data.own.labelled_files import LabelledFile
from fedssl.files import digest


def find_files(own: Mapping[str, Any], source: Path) -> list[LabelledFile]:
    """Return the files of an own dataset.

    Args:
        own: `kind` (folder or table), and for a folder `test_share`, 0 to 1.
        source: the folder or the csv.

    Raises:
        UserError: the listing is not what its kind demands.
    """
    if own["kind"] == "table":
        return table.find_files(source)
    return folder.find_files(source, test_share=own["test_share"])


def own_files(own: Mapping[str, Any], source: Path) -> list[str]:
    """Return the paths of an own dataset's files, those behind links and in a csv included."""
    return [file.path for file in find_files(own, source) if os.path.isfile(file.path)]


def listing_digest(files: Iterable[LabelledFile]) -> str:
    """Return the SHA-256 of every file's name, class, split, size in bytes and time of change.

    Nothing is read, so 100,000 files take about a second. A file changed in place that keeps its
    size and its time is not noticed; a file touched without a change is taken for a new one.
    """
    return digest([[file.name, file.label, file.split, *_stamp(file.path)] for file in files])


def _stamp(path: str) -> tuple[int, int]:
    """Return (size, time in ns) of what a path leads to; (-1, 0) for a link to nothing."""
    try:
        found = os.stat(path)
    except OSError:
        return -1, 0
    return found.st_size, found.st_mtime_ns
