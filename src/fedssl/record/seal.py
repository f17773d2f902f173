"""One number for all records of a run: it changes when a record is changed, added or lost."""

import hashlib
from collections.abc import Iterable
from pathlib import PurePosixPath

from fedssl.record.read import Record

# These rules write about the results, after them: none can quote a number that it changes.
ABOUT = frozenset({"audit", "certificate", "crate", "report_page"})


def provenance_root(digests: Iterable[str]) -> str:
    """Return the SHA-256 over the records' digests, sorted, one per line."""
    return hashlib.sha256("".join(f"{line}\n" for line in sorted(digests)).encode()).hexdigest()


def is_sealed(record: Record) -> bool:
    """Return whether the root covers a record.

    It does not cover archives: they may lie elsewhere, and the records of banks have their hashes.
    A record of archives is one whose outputs lie next to it in one folder of archives, and no
    others.
    """
    if record.rule in ABOUT:
        return False
    folder = PurePosixPath(record.name).parent
    if folder.parts[:1] != ("archives",):
        return True
    outputs = record.content.get("outputs", ())
    parts = [f"/{output}".rpartition(f"/{folder}/") for output in outputs]
    return len({before for before, _, _ in parts}) != 1 or not all(found for _, found, _ in parts)
