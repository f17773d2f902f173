"""One attempt at a time of a job that resumes, and a count of the attempts that were killed.

A time limit or a cancelled job is announced by SIGTERM, so that Python can end in order. The kernel
announces nothing when memory runs out. The count decides whether the next attempt asks for more
memory, because Snakemake tells only that an attempt failed.
"""

import contextlib
import fcntl
import json
import logging
import os
import platform
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Any, TextIO

from fedssl.errors import OutOfMemory, UserError

_log = logging.getLogger(__name__)


def num_kills(state: str) -> int:
    """Return the number of attempts, since the last one that ended in order, that were killed."""
    try:
        with _file(state).open(encoding="utf-8") as file:
            return int(_read(file).get("kills", 0))
    except OSError:
        return 0


@contextlib.contextmanager
def only_attempt(state: str) -> Iterator[None]:
    """Keep other jobs from writing to a state folder, and count this attempt as killed until then.

    The count goes back to none when the attempt ends in order, unless memory ran out.

    Raises:
        UserError: Another job writes to the folder.
    """
    path = _file(state)
    path.parent.mkdir(parents=True, exist_ok=True)
    with _locked(path, state) as file, _orderly_end():
        _write(file, kills=int(_read(file).get("kills", 0)) + 1)
        try:
            yield
        except (MemoryError, OutOfMemory):
            raise
        except BaseException:
            path.unlink(missing_ok=True)
            raise
        path.unlink(missing_ok=True)


def _file(state: str) -> Path:
    # Next to the state folder, whose content belongs to the job.
    return Path(f"{state}.attempt")


@contextlib.contextmanager
def _locked(path: Path, state: str) -> Iterator[TextIO]:
    while True:
        with path.open("a+", encoding="utf-8") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise UserError(_in_use(state, _read(file))) from None
            except OSError as error:
                _log.warning("%s cannot be locked (%s): let no two jobs write it", path, error)
            if _is_at(path, file):
                yield file
                return


def _is_at(path: Path, file: TextIO) -> bool:
    """Return whether an open file is still at its path; a job that ends removes its file."""
    try:
        return os.path.samestat(path.stat(), os.fstat(file.fileno()))
    except FileNotFoundError:
        return False


def _in_use(state: str, owner: dict[str, Any]) -> str:
    job, host, pid = (owner.get(key) for key in ("slurm_job", "host", "pid"))
    ended = f"`scancel {job}`" if job else f"ending process {pid} on {host}"
    return (
        f"{state} is written by another job (process {pid} on {host}), which was started by an "
        f"earlier run. Wait until it has finished, or stop it by {ended}, then run again; its "
        "progress is kept."
    )


def _read(file: TextIO) -> dict[str, Any]:
    file.seek(0)
    try:
        found = json.loads(file.read())
    except ValueError:  # an attempt was killed before it wrote anything
        return {}
    return found if isinstance(found, dict) else {}


def _write(file: TextIO, *, kills: int) -> None:
    owner = {"host": platform.node(), "pid": os.getpid()}
    file.truncate(0)
    json.dump(owner | {"kills": kills, "slurm_job": os.environ.get("SLURM_JOB_ID")}, file)
    file.flush()


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
