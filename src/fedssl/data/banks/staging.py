"""Copy a bank's array to a disk of the node, once for all jobs that run there."""

import contextlib
import errno
import fcntl
import hashlib
import logging
import os
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

from fedssl.data.banks.block_hashes import PIECE_BYTES, ArrayHashes
from fedssl.data.banks.verified import remember_verified

_LOG = logging.getLogger(__name__)
_COPY_AGAIN = "delete it, and the next job copies it again"


def staged(path: Path, folder: Path, hashes: ArrayHashes) -> tuple[Path, ArrayHashes]:
    """Return the copy of an array in `folder`, or the array itself if it cannot be copied.

    The copy is made if there is none with the checksum, size and time of the file. It is verified
    while it is made. Processes that need it at once copy once: the others wait.

    Returns:
        the path, and the hashes of what is there with the advice that suits it.

    Raises:
        UserError: a block of the file has another SHA-256.
    """
    copy = folder / f"{hashes.sha256}{path.suffix}"
    try:
        if _is_copy(copy, path):
            return copy, replace(hashes, remedy=_COPY_AGAIN)
        folder.mkdir(parents=True, exist_ok=True)
        with _locked(copy.with_suffix(".lock")):
            if not _is_copy(copy, path):  # nor has the process that held the lock made one
                _copy(path, copy, hashes)
                _LOG.info("copied %s to %s", path, copy)
    except OSError as error:
        reason = error.strerror or error
        _LOG.warning("%s is read where it is: no copy in %s (%s)", path, folder, reason)
        return path, hashes
    return copy, replace(hashes, remedy=_COPY_AGAIN)


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    # The file stays: removing it would let a process lock a file that another one cannot find.
    with path.open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _is_copy(copy: Path, path: Path) -> bool:
    """Return whether `copy` has the size and time of the file, and so was not changed since."""
    # Hashing it again would read the whole bank in each job. Whole seconds, because some file
    # systems keep no more.
    if not copy.is_file():
        return False
    found, expected = copy.stat(), path.stat()
    return (found.st_size, int(found.st_mtime)) == (expected.st_size, int(expected.st_mtime))


def _copy(path: Path, copy: Path, hashes: ArrayHashes) -> None:
    status, part = path.stat(), copy.with_suffix(".part")
    # A copy that fills the disk would disturb other jobs before it fails.
    if shutil.disk_usage(copy.parent).free < status.st_size:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    try:
        with path.open("rb") as source, part.open("wb") as target:
            for block in range(len(hashes.blocks)):
                _copy_block(source, target, path, block, hashes)
            target.flush()
            os.fsync(target.fileno())
        os.utime(part, ns=(status.st_atime_ns, status.st_mtime_ns))
        part.replace(copy)
    finally:
        part.unlink(missing_ok=True)
    remember_verified(copy, hashes)


def _copy_block(
    source: BinaryIO, target: BinaryIO, path: Path, block: int, hashes: ArrayHashes
) -> None:
    start, stop = hashes.span(block)
    found = hashlib.sha256()
    while content := source.read(min(PIECE_BYTES, stop - start)):
        found.update(content)
        target.write(content)
        start += len(content)
    hashes.compare(path, block, found.hexdigest())
