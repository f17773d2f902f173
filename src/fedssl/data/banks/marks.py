"""Remember on a node which blocks of an array are verified, so that later jobs need not do it.

The marks of an array are a file next to it: the temporary folder of a node is often private to a
job. There is a byte for each block, 1 if it is verified. The name of the file has the host and the
state of the array. An array that was written since has another state, also if its old times were
put back.
"""

import contextlib
import os
import platform
import stat
import tempfile
import weakref
from collections.abc import Callable
from pathlib import Path

import numpy as np

from fedssl.data.banks.block_hashes import ArrayHashes
from fedssl.files import digest

State = tuple[int, int, int, int]


def state_of(file: int) -> State:
    """Return what changes when an open file is written: inode, size, mtime_ns and ctime_ns."""
    found = os.fstat(file)
    return found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns


class Marks:
    """The marks of one state of an array, which all processes of a user on a node share.

    There are none if no folder can hold them. An array is then verified by each process.
    """

    def __init__(self, path: Path, hashes: ArrayHashes, state: State) -> None:
        """Open the marks, or create them; those of earlier states are removed."""
        self._file: int | None = None
        here = f"{path.name}.{digest([platform.node(), str(path.resolve())])[:16]}."
        name = f"{here}{digest([state, hashes.sha256, hashes.block_bytes])[:32]}"
        for folder in (path.parent, Path(tempfile.gettempdir())):
            with contextlib.suppress(OSError):
                place = _own_folder(folder / f".verified-{os.getuid()}")
                _remove_others(place, here, keep=name)
                self._file = _own_file(place / name, size=len(hashes.blocks))
                weakref.finalize(self, os.close, self._file)
                return

    def read(self, count: int) -> np.ndarray:
        """Return which blocks are verified, (count,) bool."""
        content = b""
        if self._file is not None:
            with contextlib.suppress(OSError):
                content = os.pread(self._file, count, 0)
        marked: np.ndarray = np.frombuffer(content.ljust(count, b"\0"), np.uint8) == 1
        return marked

    def has(self, block: int) -> bool:
        """Return whether a block is verified, perhaps by another process in the meantime."""
        if self._file is None:
            return False
        with contextlib.suppress(OSError):
            return os.pread(self._file, 1, block) == b"\1"
        return False

    def add(self, block: int) -> None:
        """Remember that a block is verified."""
        if self._file is not None:
            with contextlib.suppress(OSError):  # such as a full disk
                os.pwrite(self._file, b"\1", block)

    def add_all(self, count: int) -> None:
        """Remember that all blocks are verified."""
        if self._file is not None:
            with contextlib.suppress(OSError):
                os.pwrite(self._file, b"\1" * count, 0)


def _own_folder(folder: Path) -> Path:
    """Create a folder; raise PermissionError unless only this user can write to it."""
    folder.mkdir(mode=0o700, exist_ok=True)
    _check_own(folder.lstat(), stat.S_ISDIR)
    return folder


def _own_file(path: Path, *, size: int) -> int:
    """Open or create a file of marks; raise PermissionError unless it is this user's own."""
    file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        _check_own(os.fstat(file), stat.S_ISREG)
        os.ftruncate(file, size)
    except OSError:
        os.close(file)
        raise
    return file


def _check_own(status: os.stat_result, is_kind: Callable[[int], bool]) -> None:
    # Another user's marks could be of blocks that nobody verified.
    shared = status.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
    if status.st_uid != os.getuid() or shared or not is_kind(status.st_mode):
        raise PermissionError


def _remove_others(folder: Path, prefix: str, *, keep: str) -> None:
    for path in folder.iterdir():
        if path.name.startswith(prefix) and path.name != keep:
            path.unlink(missing_ok=True)
