"""One attempt at a time of a job that resumes, and a count of the attempts that were killed.

A time limit or a cancelled job is announced by SIGTERM, so that Python can end in order. The kernel
announces nothing when memory runs out. The count decides whether the next attempt asks for more
memory, because Snakemake tells only that an attempt failed.
"""

import contextlib
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from types import FrameType

from fedssl.errors import OutOfMemory
from fedssl.files import read_json, remove_temporary_files, write_json
from fedssl.lease import LostLease, hold, lease_of


def num_kills(state: str) -> int:
    """Return the number of attempts, since the last one that ended in order, that were killed."""
    try:
        return int(read_json(_file(state))["kills"])
    except (OSError, ValueError, KeyError, TypeError, OverflowError):
        return 0


def ensure_kills(state: str, count: int) -> None:
    """Count at least this many killed attempts, also of a job that could not count them itself."""
    if num_kills(state) < count:
        write_json(_file(state), {"kills": count})


@contextlib.contextmanager
def only_attempt(record: str, *, state: str | None = None, wait: float = 0.0) -> Iterator[None]:
    """Keep other jobs from writing the outputs of a job, and its state folder if it has one.

    Args:
        record: provenance record of the job.
        state: folder from which the job resumes.
        wait: seconds to wait for another job.

    Raises:
        UserError: Another job writes them.
    """
    # Two leases: jobs of one cell with other settings have other state folders, and two cells with
    # the same settings have one.
    with (
        _orderly_end(),
        hold(lease_of(record), what=record, wait=wait),
        contextlib.ExitStack() as s,
    ):
        if state:
            s.enter_context(hold(lease_of(state), what=state, wait=wait))
            s.enter_context(_counted(state))
        yield


@contextlib.contextmanager
def _counted(state: str) -> Iterator[None]:
    """Count this attempt as killed until it ends in order, unless memory ran out."""
    path = _file(state)
    remove_temporary_files(path.parent, of=path.name)
    write_json(path, {"kills": num_kills(state) + 1})
    try:
        yield
    except (MemoryError, OutOfMemory, LostLease):  # the last: another job counts now
        raise
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    path.unlink(missing_ok=True)


def _file(state: str) -> Path:
    # Next to the state folder, whose content belongs to the job.
    return Path(f"{state}.attempt")


@contextlib.contextmanager
def _orderly_end() -> Iterator[None]:
    """Let SIGTERM raise SystemExit, instead of ending the process on the spot."""
    earlier = signal.signal(signal.SIGTERM, _exit)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, earlier)


def _exit(number: int, _: FrameType | None) -> None:
    sys.exit(128 + number)
