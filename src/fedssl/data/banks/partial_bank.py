"""The data of a bank that is still being written, stored so that a killed build can be resumed.

Data is committed in blocks. First the bytes of a block are synced to disk. Then a line is added to
a journal; it lists the members of the block and a SHA-256 of both. A resumed build continues
after the last complete block, so it ends with the same bytes as an uninterrupted build.
"""

import contextlib
import hashlib
import json
import logging
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

from fedssl.data.banks.member_table import MemberRow
from fedssl.lease import check_held

_LOG = logging.getLogger(__name__)

# A kill loses at most this much decoded data. Smaller blocks would sync the disk more often.
BLOCK_BYTES = 32 << 20


class PartialBank:
    """The members of a bank in order, with their data. Create it with `open_partial_bank`.

    Attributes:
        data_path: file that holds the data of all members.
        rows: rows of the members that an earlier run committed.
    """

    def __init__(self, folder: Path, *, key: str, start: int) -> None:
        """Resume the partial bank in `folder`, or start one whose data begin at byte `start`."""
        self.data_path = folder / "data"
        self._journal_path = folder / "journal.jsonl"
        self._end = start
        self._waiting: list[MemberRow] = []
        self._sum = hashlib.sha256()
        self.rows = list(self._committed_rows(key))
        self._data = self._open_at(self.data_path, self._end)

    def close(self) -> None:
        """Close the files; members that were not committed are lost."""
        self._data.close()
        self._lines.close()

    def add(self, row: MemberRow, data: bytes) -> None:
        """Append a member and its data; commit if the block is full."""
        self._data.write(data)
        self._sum.update(data)
        self._waiting.append(row)
        if self._data.tell() - self._end >= BLOCK_BYTES:
            self.commit()

    def commit(self) -> None:
        """Commit all members added so far, so that they survive a kill."""
        # Sync the data first. In the other order, a power failure could leave a journal line
        # without its data.
        _sync(self._data)
        check_held()
        self._end = self._data.tell()
        checksum = _checksum(self._sum, self._waiting)
        self._append({"end": self._end, "sha256": checksum, "rows": self._waiting})
        self._waiting, self._sum = [], hashlib.sha256()

    def _append(self, line: Any) -> None:
        self._lines.write(json.dumps(line, separators=(",", ":")).encode() + b"\n")
        _sync(self._lines)

    def _committed_rows(self, key: str) -> Iterator[MemberRow]:
        """Yield the rows of all complete blocks, and cut off the journal after them."""
        position = 0
        # Errors are suppressed because each of them means "nothing usable": there is no journal
        # yet, or a kill cut off its last line. The position then marks the last complete block.
        with contextlib.suppress(OSError, ValueError, KeyError), self._journal_path.open("rb") as f:
            if json.loads(line := f.readline())["key"] == key:
                position = len(line)
                for block, line in self._complete_blocks(f):
                    self._end, position = block["end"], position + len(line)
                    yield from block["rows"]
        self._lines = self._open_at(self._journal_path, position)
        if not position:
            self._append({"key": key})

    def _complete_blocks(self, lines: BinaryIO) -> Iterator[tuple[dict[str, Any], bytes]]:
        # Compare the checksums again: after a power failure the disk may have lost data that it
        # had confirmed.
        with self.data_path.open("rb") as data:
            data.seek(self._end)
            for line in lines:
                block = json.loads(line)
                content = data.read(block["end"] - data.tell())
                if _checksum(hashlib.sha256(content), block["rows"]) != block["sha256"]:
                    _LOG.warning("%s is damaged; resuming before the damage", self.data_path.parent)
                    return
                yield block, line

    @staticmethod
    def _open_at(path: Path, end: int) -> BinaryIO:
        # Mode "r+b" needs an existing file, and "ab" ignores seeking when it writes.
        path.touch()
        file = path.open("r+b")
        file.truncate(end)
        file.seek(end)
        return file


@contextlib.contextmanager
def open_partial_bank(folder: Path, *, key: str, start: int) -> Iterator[PartialBank]:
    """Open the partial bank in `folder`, or create it.

    All other folders next to it are removed: they belong to other versions of the code.

    Args:
        folder: folder for the data and the journal only.
        key: digest of everything the data depends on. A partial bank with another key is
            discarded.
        start: number of bytes to reserve at the start of the data.

    Call it only while holding the lease of the folder, or of the bank that is made from it.
    """
    # The folder is not a declared output, because Snakemake deletes the outputs of an interrupted
    # job before it restarts the job.
    folder.mkdir(parents=True, exist_ok=True)
    for other in set(folder.parent.iterdir()) - {folder}:
        shutil.rmtree(other, ignore_errors=True)
    with contextlib.closing(PartialBank(folder, key=key, start=start)) as partial:
        yield partial


def _checksum(data: "hashlib._Hash", rows: list[MemberRow]) -> str:
    """Return the SHA-256 of a block: its bytes, and its members' rows as JSON."""
    # The rows too: a flipped digit in the journal would still be JSON.
    data.update(json.dumps(rows).encode())
    return data.hexdigest()


def _sync(file: BinaryIO) -> None:
    file.flush()
    os.fsync(file.fileno())
