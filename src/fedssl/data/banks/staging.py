"""Copy a bank's array to a disk of the node, once for all jobs that run there."""

import contextlib
import errno
import fcntl
import hashlib
import logging
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from fedssl.errors import UserError

_LOG = logging.getLogger(__name__)
_BLOCK_BYTES = 16 << 20


def staged(path: Path, folder: Path, *, checksum: str) -> Path:
    """Return the copy of a file in `folder`, or the file itself if it cannot be copied.

    The copy is made if there is none with the checksum, size and time of the file. Processes that
    need it at once copy once: the others wait.

    Raises:
        UserError: the SHA-256 of the file is not `checksum`.
    """
    copy = folder / f"{checksum}{path.suffix}"
    try:
        if _is_copy(copy, path):
            return copy
        folder.mkdir(parents=True, exist_ok=True)
        with _locked(copy.with_suffix(".lock")):
            if not _is_copy(copy, path):  # nor has the process that held the lock made one
                _copy(path, copy, checksum=checksum)
                _LOG.info("copied %s to %s", path, copy)
    except OSError as error:
        reason = error.strerror or error
        _LOG.warning("%s is read where it is: no copy in %s (%s)", path, folder, reason)
        return path
    return copy


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


def _copy(path: Path, copy: Path, *, checksum: str) -> None:
    status, part = path.stat(), copy.with_suffix(".part")
    # A copy that fills the disk would disturb other jobs before it fails.
    if shutil.disk_usage(copy.parent).free < status.st_size:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    found = hashlib.sha256()
    try:
        with path.open("rb") as source, part.open("wb") as target:
            while block := source.read(_BLOCK_BYTES):
                found.update(block)
                target.write(block)
            target.flush()
            os.fsync(target.fileno())
        if found.hexdigest() != checksum:
            raise UserError(
                f"{path} has the SHA-256 {found.hexdigest()}, but bank.json records {checksum}; "
                "delete bank.json next to it and rerun the bank rule"
            )
        os.utime(part, ns=(status.st_atime_ns, status.st_mtime_ns))
        part.replace(copy)
    finally:
        part.unlink(missing_ok=True)
