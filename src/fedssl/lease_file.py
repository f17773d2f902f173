"""The file of a lease: created by one process only, and read without the caches of NFS."""

import errno
import os
import stat
from pathlib import Path
from typing import NamedTuple

from fedssl.errors import UserError
from fedssl.owner import Owner, parse_owner

_NO_LINKS = {errno.EPERM, errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOTSUP, errno.EMLINK}
_GONE = {errno.ENOENT, errno.ESTALE}


class Sign(NamedTuple):
    """An owner, and its last sign of life: the time of the lease's file, in nanoseconds."""

    owner: Owner
    mtime_ns: int


def read_sign(path: Path) -> Sign | None:
    """Return what a lease says; None if there is none.

    Raises:
        UserError: It is not a file, so no process has made it.
    """
    try:
        if not stat.S_ISREG(path.lstat().st_mode):
            raise UserError(f"{path} is not a file of this workflow; remove it, and run again.")
        # Opened, not only asked for its time: NFS answers that from a cache.
        with path.open("rb") as file:
            return Sign(parse_owner(file.read()), os.fstat(file.fileno()).st_mtime_ns)
    except OSError as error:
        if error.errno in _GONE:
            return None
        raise


def read_owner(path: Path) -> Owner | None:
    """Return the process that a lease names, alive or not; None if nobody holds the lease."""
    found = read_sign(path)
    return found.owner if found else None


def create(path: Path, offer: Path, owner: Owner) -> bool:
    """Create a lease as a second name of the file `offer`; return False if there is one."""
    try:
        os.link(offer, path)
    except FileExistsError:
        # NFS repeats a call whose answer was lost, and then says that the name exists.
        return read_owner(path) == owner
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        return write_new(path, owner)
    return True


def write_new(path: Path, owner: Owner) -> bool:
    """Write a file that names an owner; return False if the file exists."""
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL)
    except FileExistsError:
        return False
    with os.fdopen(handle, "wb") as file:
        # Whatever the umask: other users must see who has the lease.
        os.fchmod(file.fileno(), 0o644)
        file.write(owner.to_json())
        file.flush()
        os.fsync(file.fileno())
    return True
