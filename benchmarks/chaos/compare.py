"""What must be equal after a fault: every result but times, records and what quotes them."""

import csv
import hashlib
import io
from pathlib import Path

from fedssl.grid.paths import RECORD

# Logs and progress are no results. The page, the certificate and the audit quote records, which
# hold times.
_NOT_COMPARED = (
    "logs",
    "benchmarks",
    "state",
    "cells.csv",
    "audit.json",
    "report",
    "certificate.md",
)
_TEXT = {".csv", ".json", ".md", ".tex"}
_TIME = "seconds"  # a column of rounds.csv


def fingerprint(results: Path, named: str) -> dict[str, str]:
    """Return a hash of each result file, by its name below the results folder.

    The text of files has the folder as it is `named` in the configuration, which is no difference.
    """
    found = {}
    for path in sorted(results.rglob("*")):
        name = path.relative_to(results)
        hidden = any(part.startswith(".") for part in name.parts)
        if hidden or name.parts[0] in _NOT_COMPARED or path.name.endswith(RECORD):
            continue
        if path.is_file():
            found[name.as_posix()] = hashlib.sha256(_content(path, named)).hexdigest()
    return found


def differences(found: dict[str, str], expected: dict[str, str]) -> list[str]:
    """Return the names of files that differ, are missing, or should not be there."""
    return sorted(
        name for name in found.keys() | expected.keys() if found.get(name) != expected.get(name)
    )


def left_behind(results: Path) -> list[str]:
    """Return temporary files, and progress that a finished run has no use for."""
    temporary = (
        path
        for path in results.rglob("*")
        if path.is_file() and (path.suffix == ".part" or path.name.startswith(".tmp"))
    )
    progress = (path for path in (results / "state").rglob("*") if path.is_file())
    return sorted({path.relative_to(results).as_posix() for path in (*temporary, *progress)})


def _content(path: Path, named: str) -> bytes:
    content = path.read_bytes()
    if path.suffix in _TEXT:
        content = content.replace(named.encode(), b"<results>")
    if path.name != "rounds.csv" or _TIME.encode() not in content.partition(b"\n")[0]:
        return content
    try:
        rows = list(csv.DictReader(io.StringIO(content.decode())))
    except (UnicodeDecodeError, csv.Error):  # damaged
        return content
    return repr([{k: v for k, v in row.items() if k != _TIME} for row in rows]).encode()
