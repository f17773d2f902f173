"""Record the result of every clip download, so that a killed download can be resumed."""

import csv
import json
import os
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from fedssl.files import atomic_write

# The value is part of the manifest's format, which existing downloads use.
OBTAINED = "had"
# Statuses of failures that are worth another try: they do not depend on the clip itself.
TRANSIENT = frozenset({"refused", "throttled", "server", "network", "timeout", "failed"})


@dataclass(frozen=True)
class ClipResult:
    """The result of trying to download a clip.

    Attributes:
        clip: `<id>_<start>`, where the start is in seconds with six digits.
        status: "had" for success. Final failures are gone, private, age, geo, short and
            unreadable. All others are in `TRANSIENT`.
        reason: message of the server or decoder; empty on success.
        file: name of the clip's file; empty on failure.
        bytes: size of the file.
        sha256: SHA-256 of the file.
        tries: number of tries, including those of earlier runs.
        when: time of the last try, UTC in ISO 8601.
    """

    clip: str
    status: str
    reason: str = ""
    file: str = ""
    bytes: int = 0
    sha256: str = ""
    tries: int = 1
    when: str = ""


class ClipManifest:
    """The results so far, as an append-only file with one JSON object per line.

    A killed process can damage only the last line. If a clip has several lines, the last counts.
    """

    def __init__(self, path: Path) -> None:
        """Read the results in `path`, and open the file to append more."""
        self._folder = path.parent
        self._results = {result.clip: result for result in _lines(path)}
        self._file = path.open("ab")
        if self._file.tell():
            # A kill can leave a line without its end. Without this, the next result would be
            # appended to that line and both would be unreadable. Empty lines are ignored.
            self._file.write(b"\n")

    def __getitem__(self, clip: str) -> ClipResult | None:
        """Return the result of a clip; None if it was never tried or its file is missing."""
        # Users may delete clips to fetch them again, so a success counts only with its file.
        result = self._results.get(clip)
        if result is None or result.status != OBTAINED:
            return result
        path = self._folder / result.file
        return result if path.is_file() and path.stat().st_size == result.bytes else None

    def is_final(self, clip: str) -> bool:
        """Return whether the clip need not be tried again: it was obtained or is unavailable."""
        result = self[clip]
        return result is not None and result.status not in TRANSIENT

    def add(self, result: ClipResult) -> None:
        """Add a result, and sync it to disk."""
        self._results[result.clip] = result
        self._file.write(json.dumps(asdict(result)).encode() + b"\n")
        self._file.flush()
        os.fsync(self._file.fileno())

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def counts(self, clips: Iterable[str]) -> dict[str, int]:
        """Return the number of clips per status; `untried` counts clips without a result."""
        found = Counter(getattr(self[clip], "status", "untried") for clip in clips)
        return dict(sorted(found.items()))

    def write_csv(self, path: Path, clips: Iterable[str]) -> None:
        """Write the results as a CSV file with one row per clip, atomically."""
        with atomic_write(path) as part, part.open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, [field.name for field in fields(ClipResult)])
            writer.writeheader()
            results = (self[clip] or ClipResult(clip, "untried", tries=0) for clip in clips)
            writer.writerows(map(asdict, results))


def _lines(path: Path) -> Iterator[ClipResult]:
    """Yield the results in a file; skip lines that a kill has cut off."""
    if not path.exists():
        return
    for line in path.read_bytes().splitlines():
        try:
            yield ClipResult(**json.loads(line))
        except (ValueError, TypeError):
            continue
