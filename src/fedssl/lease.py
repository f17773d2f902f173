"""Leases: a file says which process may write to a folder, on local disks and on NFS.

A lease is taken by linking a complete file to its name, which one process can do. Its owner gives
signs of life by setting the file's time. Another process takes over the lease of an owner that has
ended. On the same host and boot, the process table tells. An owner on another host must have been
silent for `SILENT_S` seconds by the clock of the file system, and for `WATCH_S` seconds while it
was watched, because a file server that stood still had silenced everybody.

An owner can be stopped for that long and then go on. So it asks before it publishes a file whether
the lease is still its own: `fedssl.files.atomic_write` runs `check_held` before each rename.

Locks of the kernel (flock) are not enough: some shared file systems keep them on each node, and
they do not say who holds them.
"""

import contextlib
import logging
import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from fedssl.errors import UserError
from fedssl.lease_file import Sign, create, read_owner, read_sign, write_new
from fedssl.owner import Owner, this_process
from fedssl.publishing import before_publishing

BEAT_S = 15.0
SILENT_S = 120.0
WATCH_S = 30.0
POLL_S = 1.0
_log = logging.getLogger(__name__)


class LostLease(UserError):
    """Another process has taken over a lease, so this one must not write any more."""


def lease_of(path: str | Path) -> Path:
    """Return the lease of a file or folder, which is next to it."""
    return Path(path).with_name(f".{Path(path).name}.lease")


def check_held() -> None:
    """Raise LostLease if this process has lost a lease."""
    for lease in tuple(_HELD):
        lease.check()


@contextlib.contextmanager
def hold(path: Path, *, what: str, wait: float = 0.0) -> Iterator[None]:
    """Hold a lease, and give it back at the end; see `take`."""
    lease = take(path, what=what, wait=wait)
    try:
        yield
    finally:
        lease.release()


def take(
    path: Path, *, what: str, wait: float = 0.0, on_loss: Callable[[str], None] | None = None
) -> "Lease":
    """Take a lease, which the caller releases.

    Args:
        path: file of the lease.
        what: what the lease is for, as messages name it.
        wait: seconds to wait for an owner that lives. It takes longer to see that one has ended.
        on_loss: called in a thread with a message if another process takes over the lease.

    Raises:
        UserError: Another process holds the lease.
        OSError: The file cannot be written.
    """
    owner = this_process()
    path.parent.mkdir(parents=True, exist_ok=True)
    _Candidate(path, owner, what).wait(wait)
    _clear_offers(path)
    return Lease(path, owner, what, on_loss)


def _clear_offers(path: Path) -> None:
    """Remove the files of processes that were killed while they took a lease.

    Only the new owner of the lease may call it. A process that still waits writes its file again.
    """
    for offer in path.parent.glob(f"{path.name}.*.part"):
        offer.unlink(missing_ok=True)


class Lease:
    """A lease that this process holds. Create it with `hold` or `take`."""

    def __init__(
        self, path: Path, owner: Owner, what: str, on_loss: Callable[[str], None] | None
    ) -> None:
        """Start to give signs of life."""
        self._path, self._owner, self._what, self._on_loss = path, owner, what, on_loss
        self._end = threading.Event()
        _HELD.append(self)
        threading.Thread(target=self._beat, daemon=True, name=f"lease {path}").start()

    def check(self) -> None:
        """Raise LostLease if the lease is no longer this process's."""
        found = read_owner(self._path)
        if found is None or found.token != self._owner.token:
            how = f"was taken over by {found}" if found else "was removed"
            raise LostLease(
                f"{self._what} may no longer be written by process {self._owner.pid} on "
                f"{self._owner.host}, because its lease {self._path} {how}."
            )

    def release(self) -> None:
        """Give the lease back, unless another process has it."""
        self._end.set()
        if self not in _HELD or self._owner.pid != os.getpid():  # a fork does not own it
            return
        _HELD.remove(self)
        with contextlib.suppress(OSError, LostLease):
            self.check()
            self._path.unlink()

    def _beat(self) -> None:
        while not self._end.wait(BEAT_S):
            try:
                self.check()
                # Without a time of this host: the server sets its own, which is the same for all.
                os.utime(self._path)
            except LostLease as error:
                if self._on_loss and not self._end.is_set():
                    self._on_loss(str(error))
                return
            except OSError as error:  # the server may come back
                _log.warning("no sign of life in %s: %s", self._path, error)


_HELD: list[Lease] = []
before_publishing(check_held)


class _Candidate:
    """A process that waits until it has a lease, or until the time is up and the owner lives."""

    def __init__(self, path: Path, owner: Owner, what: str) -> None:
        self._path, self._owner, self._what = path, owner, what
        self._offer = path.with_name(f"{path.name}.{owner.token}.part")
        self._watched: tuple[Sign | None, float] = (None, 0.0)

    def wait(self, seconds: float) -> None:
        """Take the lease, or raise UserError."""
        deadline, told = time.monotonic() + seconds, ""
        try:
            while not self._create(self._path):
                if (found := read_sign(self._path)) is None:
                    continue
                if self._has_ended(found):
                    if self._take_over(found.owner):
                        _log.warning("took over %s from %s", self._path, found.owner)
                        return
                elif time.monotonic() >= deadline and self._lives(found):
                    raise UserError(self._refusal(found.owner))
                elif told != found.owner.token:
                    told = found.owner.token
                    _log.warning("waiting: %s is being written by %s", self._what, found.owner)
                time.sleep(POLL_S)
        finally:
            self._offer.unlink(missing_ok=True)

    def _create(self, path: Path) -> bool:
        try:
            write_new(self._offer, self._owner)
            os.utime(self._offer)  # its time becomes the first sign of life
            return create(path, self._offer, self._owner)
        except FileNotFoundError:
            if not path.parent.is_dir():
                raise
            return False  # the offer was cleared away as a leftover

    def _has_ended(self, found: Sign) -> bool:
        if self._watched[0] != found:
            self._watched = (found, time.monotonic())
        if (lives := found.owner.lives()) is not None:
            return not lives
        silent, watched = self._silent(found), time.monotonic() - self._watched[1]
        # The watch alone decides if the time of the lease lies in the future.
        expired = watched > SILENT_S or (silent > SILENT_S and watched > WATCH_S)
        return expired or found.owner.rebooted(silent)

    def _lives(self, found: Sign) -> bool:
        """Return whether an owner that has not ended is known to live."""
        return bool(found.owner.lives()) or 0 <= self._silent(found) <= 2 * BEAT_S

    def _silent(self, found: Sign) -> float:
        """Return the seconds since a sign of life, by the clock of the file system."""
        try:
            write_new(self._offer, self._owner)
            os.utime(self._offer)
            return (self._offer.stat().st_mtime_ns - found.mtime_ns) / 1e9
        except FileNotFoundError:  # the offer was cleared away as a leftover
            return 0.0

    def _take_over(self, dead: Owner) -> bool:
        """Put the own lease in the place of a dead owner's; return False if another did."""
        # Only one process can create the claim, and it looks again before it replaces the lease. So
        # of two that found the same dead owner, the second does not replace the lease of the first.
        claim = self._path.with_name(f"{self._path.name}.{dead.token[:8]}.claim.part")
        if not self._create(claim):
            left = read_sign(claim)
            if left and self._silent(left) > SILENT_S:  # its process was killed here
                claim.unlink(missing_ok=True)
            return False
        try:
            if read_owner(self._path) != dead:
                return False
            self._offer.replace(self._path)
            return read_owner(self._path) == self._owner
        finally:
            claim.unlink(missing_ok=True)

    def _refusal(self, owner: Owner) -> str:
        if not owner.is_known:
            return (
                f"{self._what} may be being written by another process: its lease {self._path} is "
                f"damaged; run again in {SILENT_S:.0f} s, when it no longer counts unless somebody "
                "has renewed it."
            )
        return (
            f"{self._what} is being written by {owner}; wait until that has ended, or stop it by "
            f"{owner.end} and wait for its end, then run again: its progress is kept."
        )
