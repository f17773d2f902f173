"""What became of every clip that was asked for: a line each, written before the next is fetched."""

import csv
import json
import os
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from fedssl.files import atomic_write

OBTAINED = "had"
# Worth another try, at once or in another run: they say nothing of the clip itself.
TRANSIENT = frozenset({"refused", "throttled", "server", "network", "timeout", "failed"})


@dataclass(frozen=True)
class ClipResult:
    """A clip and what became of it.

    Attributes:
        clip: `<id>_<start in six digits>`.
        status: had; gone, private, age, geo, short or unreadable, which are final; or transient.
        reason: what the server or the file said; empty where the clip was had.
        file: its file's name; empty where there is none.
        bytes: size of the file.
        sha256: of the file.
        tries: how often it was asked for, earlier runs included.
        when: UTC, ISO 8601.
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
    """The results so far, kept in a file that a kill cannot harm: a clip's last line counts."""

    def __init__(self, path: Path) -> None:
        """Take up the results in `path`, but for files that are no longer there."""
        self._folder = path.parent
        self._results = {result.clip: result for result in _lines(path)}
        self._file = path.open("ab")
        if self._file.tell():
            self._file.write(b"\n")  # A line that was cut by a kill must not swallow the next.

    def __getitem__(self, clip: str) -> ClipResult | None:
        """Return what became of a clip; None if it was never tried, or its file is gone."""
        result = self._results.get(clip)
        if result is None or result.status != OBTAINED:
            return result
        path = self._folder / result.file
        return result if path.is_file() and path.stat().st_size == result.bytes else None

    def is_final(self, clip: str) -> bool:
        """Return whether there is no use in asking for a clip again."""
        result = self[clip]
        return result is not None and result.status not in TRANSIENT

    def add(self, result: ClipResult) -> None:
        """Keep an result, on the disk too."""
        self._results[result.clip] = result
        self._file.write(json.dumps(asdict(result)).encode() + b"\n")
        self._file.flush()
        os.fsync(self._file.fileno())

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()

    def counts(self, clips: Iterable[str]) -> dict[str, int]:
        """Return status -> number of the clips; `untried` where there is no result."""
        found = Counter(getattr(self[clip], "status", "untried") for clip in clips)
        return dict(sorted(found.items()))

    def write_csv(self, path: Path, clips: Iterable[str]) -> None:
        """Write the results of the clips as a csv, a row each, atomically."""
        with atomic_write(path) as part, part.open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, [field.name for field in fields(ClipResult)])
            writer.writeheader()
            results = (self[clip] or ClipResult(clip, "untried", tries=0) for clip in clips)
            writer.writerows(map(asdict, results))


def _lines(path: Path) -> Iterator[ClipResult]:
    """Yield the results in a file; a line that was cut by a kill is passed over."""
    if not path.exists():
        return
    for line in path.read_bytes().splitlines():
        try:
            yield ClipResult(**json.loads(line))
        except (ValueError, TypeError):
            continue
