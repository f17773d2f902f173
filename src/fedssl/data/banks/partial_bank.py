"""The data of a bank that is being written, and a journal of how much of it is sure.

Both lie in a folder of their own that is no declared output, because Snakemake wipes those before
it restarts a job. Data is committed in stretches: first its bytes reach the disk, then a line of
the journal says which members they are and what their SHA-256 is. A run that was killed goes on
behind the last stretch that is whole, so the bytes it ends with are those of an unbroken run.
"""

import contextlib
import fcntl
import hashlib
import json
import logging
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

from fedssl.data.banks.member_table import MemberRow
from fedssl.errors import UserError

_LOG = logging.getLogger(__name__)

BLOCK_BYTES = 32 << 20


class PartialBank:
    """Members in their order, each with its data; use `open_partial_bank`."""

    def __init__(self, folder: Path, *, key: str, start: int) -> None:
        """Take up the journal in `folder`, or begin one whose data starts at byte `start`."""
        self.data_path = folder / "data"
        self._journal_path = folder / "journal.jsonl"
        self._end = start
        self._waiting: list[MemberRow] = []
        self._sum = hashlib.sha256()
        self.rows = list(self._whole_rows(key))
        self._data = self._opened(self.data_path, self._end)

    def close(self) -> None:
        """Let go of the files; what was not committed is lost."""
        self._data.close()
        self._lines.close()

    def add(self, row: MemberRow, data: bytes) -> None:
        """Append a member and its data, and now and then commit."""
        self._data.write(data)
        self._sum.update(data)
        self._waiting.append(row)
        if self._data.tell() - self._end >= BLOCK_BYTES:
            self.commit()

    def commit(self) -> None:
        """Make all that was added survive a kill."""
        _sync(self._data)
        self._end = self._data.tell()
        self._append({"end": self._end, "sha256": self._sum.hexdigest(), "rows": self._waiting})
        self._waiting, self._sum = [], hashlib.sha256()

    def _append(self, line: Any) -> None:
        self._lines.write(json.dumps(line, separators=(",", ":")).encode() + b"\n")
        _sync(self._lines)

    def _whole_rows(self, key: str) -> Iterator[MemberRow]:
        """Yield the rows of all stretches that are whole, and cut off what follows them."""
        position = 0
        with contextlib.suppress(OSError, ValueError, KeyError), self._journal_path.open("rb") as f:
            if json.loads(line := f.readline())["key"] == key:
                position = len(line)
                for stretch, line in self._whole_stretches(f):
                    self._end, position = stretch["end"], position + len(line)
                    yield from stretch["rows"]
        self._lines = self._opened(self._journal_path, position)
        if not position:
            self._append({"key": key})

    def _whole_stretches(self, lines: BinaryIO) -> Iterator[tuple[dict[str, Any], bytes]]:
        with self.data_path.open("rb") as data:
            data.seek(self._end)
            for line in lines:
                stretch = json.loads(line)
                content = data.read(stretch["end"] - data.tell())
                if hashlib.sha256(content).hexdigest() != stretch["sha256"]:
                    _LOG.warning("%s is damaged: going on before that", self.data_path)
                    return
                yield stretch, line

    @staticmethod
    def _opened(path: Path, end: int) -> BinaryIO:
        path.touch()
        file = path.open("r+b")
        file.truncate(end)
        file.seek(end)
        return file


@contextlib.contextmanager
def open_partial_bank(folder: Path, *, key: str, start: int) -> Iterator[PartialBank]:
    """Open the journal in `folder`, made if missing; folders beside it, of other code, are removed.

    Args:
        folder: holds data and journal, and nothing else.
        key: of everything the data depends on; a journal of another key is begun anew.
        start: bytes to leave free at the start of the data.

    Raises:
        UserError: another process is writing it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for other in set(folder.parent.iterdir()) - {folder}:
        shutil.rmtree(other, ignore_errors=True)
    with (folder / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise UserError(
                f"another process is reading this data set into {folder}; wait for it, or end it"
            ) from error
        with contextlib.closing(PartialBank(folder, key=key, start=start)) as partial:
            yield partial


def _sync(file: BinaryIO) -> None:
    file.flush()
    os.fsync(file.fileno())
