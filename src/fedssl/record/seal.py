"""The provenance root: one hash that changes if any record is changed, added or removed."""

import hashlib
from collections.abc import Iterable
from pathlib import PurePosixPath

from fedssl.record.read import Record

# The outputs of these rules quote the root, so their records cannot be part of it.
ABOUT = frozenset({"audit", "certificate", "crate", "report_page"})


def provenance_root(digests: Iterable[str]) -> str:
    """Return the SHA-256 over the records' digests, sorted, one per line."""
    return hashlib.sha256("".join(f"{line}\n" for line in sorted(digests)).encode()).hexdigest()


def is_sealed(record: Record) -> bool:
    """Return whether the root covers a record.

    It does not cover the records of archives: archives can be outside the results folder, and the
    records of banks have their hashes. The outputs of such a record must all be next to it, so
    that a forged record of something else cannot escape the root.
    """
    if record.rule in ABOUT:
        return False
    folder = PurePosixPath(record.name).parent
    if folder.parts[:1] != ("archives",):
        return True
    outputs = record.content.get("outputs", ())
    parts = [f"/{output}".rpartition(f"/{folder}/") for output in outputs]
    return len({before for before, _, _ in parts}) != 1 or not all(found for _, found, _ in parts)
