"""List the files of an own dataset, and tell whether they have changed, without opening them."""

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
        own: `kind` ("folder" or "table"), and for a folder `test_share`, 0 to 1.
        source: path of the folder or the CSV file.

    Raises:
        UserError: the folder or the CSV file is invalid.
    """
    if own["kind"] == "table":
        return table.find_files(source)
    return folder.find_files(source, test_share=own["test_share"])


def own_files(own: Mapping[str, Any], source: Path) -> list[str]:
    """Return the paths of all files of an own dataset that exist."""
    # For the provenance record: the declared input is only the folder or the CSV file.
    return [file.path for file in find_files(own, source) if os.path.isfile(file.path)]


def listing_digest(files: Iterable[LabelledFile]) -> str:
    """Return a SHA-256 over the name, class, split, size and modification time of every file.

    A file that is changed in place and keeps its size and time is not noticed. A file that is
    touched counts as changed.
    """
    # Files are not read, so 100,000 files take about a second. The digest is needed in every dry
    # run.
    return digest([[file.name, file.label, file.split, *_stamp(file.path)] for file in files])


def _stamp(path: str) -> tuple[int, int]:
    """Return the size and modification time (ns) of a file; (-1, 0) for a broken link."""
    try:
        found = os.stat(path)
    except OSError:
        return -1, 0
    return found.st_size, found.st_mtime_ns
