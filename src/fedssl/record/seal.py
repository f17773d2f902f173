"""One number for all records of a run: it changes when a record is changed, added or lost."""

import hashlib
from collections.abc import Container, Iterable, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from fedssl.errors import UserError
from fedssl.files import digest, read_json

RECORD = "provenance.json"
# These rules write about the results, after them: none can quote a number that it changes.
ABOUT = frozenset({"audit", "certificate", "crate", "report_page"})


def read_records(
    results: str | Path, *, without: Container[str] = ABOUT
) -> dict[str, dict[str, Any]]:
    """Return the records of the jobs behind the results, by their path below the folder, sorted.

    `without` are rules whose records are left out.

    Raises:
        UserError: A record is not what its job wrote.
    """
    root = Path(results)
    paths = sorted(root.rglob(f"*{RECORD}"))
    records = {path.relative_to(root).as_posix(): _read(path) for path in paths}
    return {name: record for name, record in records.items() if record["rule"] not in without}


def provenance_root(digests: Iterable[str]) -> str:
    """Return the SHA-256 over the records' digests, sorted, a line each."""
    return hashlib.sha256("".join(f"{line}\n" for line in sorted(digests)).encode()).hexdigest()


def is_sealed(name: str, record: Mapping[str, Any]) -> bool:
    """Return whether a record, by its path below the results and its content, counts for the root.

    Archives do not, for they may lie elsewhere, and the records of banks have their hashes. A
    record of archives is one whose outputs lie beside it in one folder of archives, and no others.
    """
    if record.get("rule") in ABOUT:
        return False
    folder = PurePosixPath(name).parent
    if folder.parts[:1] != ("archives",):
        return True
    parts = [f"/{output}".rpartition(f"/{folder}/") for output in record.get("outputs", ())]
    return len({before for before, _, _ in parts}) != 1 or not all(found for _, found, _ in parts)


def _read(path: Path) -> dict[str, Any]:
    record: dict[str, Any] = read_json(path)
    if record.get("digest") != digest({k: v for k, v in record.items() if k != "digest"}):
        raise UserError(
            f"{path} does not have the digest it carries: it was changed after its job wrote it; "
            "run the job again."
        )
    return record
