"""Count the attempts of a resumable job that were killed without notice, as for lack of memory.

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


def num_kills(state: str) -> int:
    """Return the number of attempts, since the last one that ended in order, that were killed."""
    try:
        return int(_count(state).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return 0


@contextlib.contextmanager
def counted_kills(state: str) -> Iterator[None]:
    """Count this attempt as killed, until it ends in order; `state` is the job's state folder."""
    file = _count(state)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(str(num_kills(state) + 1), encoding="utf-8")
    with _orderly_end():
        try:
            yield
        except (MemoryError, OutOfMemory):
            raise
        except BaseException:
            file.unlink(missing_ok=True)
            raise
    file.unlink(missing_ok=True)


def _count(state: str) -> Path:
    # Next to the state folder, whose content belongs to the job.
    return Path(f"{state}.killed")


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
