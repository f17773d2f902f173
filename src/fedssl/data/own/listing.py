"""List the files of an own dataset, and tell whether they have changed, without opening them."""

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from fedssl.data.banks.settings import BankContents, OwnFiles
from fedssl.data.own import folder, table
from fedssl.data.own.labelled_files import LabelledFile
from fedssl.files import digest
from fedssl.typed import typed


def find_files(own: OwnFiles, source: Path) -> list[LabelledFile]:
    """Return the files of an own dataset, given the path of the folder or the CSV file.

    Raises:
        UserError: the folder or the CSV file is invalid.
    """
    if own.kind == "table":
        return table.find_files(source)
    return folder.find_files(source, test_share=own.test_share)


def own_files(entry: Mapping[str, Any], paths: Mapping[str, str]) -> list[str]:
    """Return the paths of all own files of a bank that exist; none for a bank of archives.

    Args:
        entry: settings of the bank's job, see `BankContents`.
        paths: "folder" or "table" -> path.
    """
    # For the provenance record: the declared input is only the folder or the CSV file.
    own = typed(BankContents, entry).own
    found = find_files(own, Path(paths[own.kind])) if own else []
    return [file.path for file in found if os.path.isfile(file.path)]


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
