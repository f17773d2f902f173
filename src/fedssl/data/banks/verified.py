"""Hold the files of a bank to the hashes in bank.json before a job uses them.

A bank can be damaged without a change of its size, by a disk or by hand. Hashing 59 GB in each job
would take minutes, so a node remembers which files it has verified. A file that was written since
has another state, also if its old times were put back, and is hashed again.
"""

import logging
import os
import tempfile
from pathlib import Path

from fedssl.errors import UserError
from fedssl.files import digest, sha256

# Smaller files are hashed in each job.
_REMEMBERED_BYTES = 16 << 20
_LOG = logging.getLogger(__name__)


def verify(path: Path, checksum: str) -> None:
    """Raise UserError unless a file of a bank has this SHA-256."""
    status = path.stat()
    memory = _memory() if status.st_size > _REMEMBERED_BYTES else None
    state = [status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns]
    mark = memory and memory / digest([str(path.resolve()), state, checksum])
    if mark and mark.exists():
        return
    if mark:
        _LOG.info("verifying %s (%.2f GB), once on this node", path, status.st_size / 1e9)
    if (found := sha256(path)) != checksum:
        raise UserError(
            f"{path} was changed after its bank was built: its SHA-256 is {found}, and bank.json "
            f"records {checksum}; delete bank.json next to it and rerun the bank rule"
        )
    if mark:
        mark.touch()


def _memory() -> Path | None:
    """Return this user's folder of marks on this node; None if there can be none."""
    folder = Path(tempfile.gettempdir(), f"fedssl-verified-{os.getuid()}")
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        # Another user's folder could hold marks of files that nobody verified.
        return folder if folder.stat().st_uid == os.getuid() else None
    except OSError:
        return None
