"""Decode members to samples: one process reads the archive, others decode, and the order is kept.

Threads would not use all cores: Pillow and libsndfile release the GIL, but for a small file most of
the time is spent in the Python code around them.
"""

import contextlib
import math
import time
import warnings
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context

import numpy as np

from fedssl.data.samples import (
    BadMember,
    Content,
    Decoded,
    Encoded,
    Member,
    Noted,
    Sample,
    UnreadableError,
)
from fedssl.errors import OutOfMemory
from fedssl.workers import follow_parent

# Seconds of decoding before workers are started, so that a small bank does not wait for them.
_ALONE_S = 2.0
# Cheaper members, such as 16 kHz WAV files, are decoded here: a member that a worker decodes is
# copied several times on its way.
_SECONDS_PER_BYTE = 4e-9
# Work of a batch: long enough to make the cost of passing it small.
_BATCH_S = 0.05
# Limits the memory: a batch ends with the member that exceeds it.
_BATCH_BYTES = 16 << 20
# Batches per worker that may wait.
_AHEAD = 2

# The data of a sample with notes, or the reason why there are none.
_Outcome = Noted | str
_Decode = Callable[[Content], np.ndarray | Noted]
# A member, and what `read` returned if the member is still encoded.
_Loaded = tuple[Member, Content]


def decode_members(members: Iterable[Member], *, workers: int = 1) -> Iterator[Decoded]:
    """Yield all members in their order; encoded ones become samples or bad members.

    The number of workers does not change what is yielded. Memory is bounded: a few batches of
    members per worker are in progress. A script that passes more than one worker needs the guard
    `if __name__ == "__main__"`, because workers import the script.

    Raises:
        OutOfMemory: a worker was killed.
    """
    members = iter(members)
    seconds = yield from _decode_here(members, until=_ALONE_S if workers > 1 else math.inf)
    if seconds is not None:
        yield from _decode_there(members, workers=workers, batch=math.ceil(_BATCH_S / seconds))


def _decode_here(
    members: Iterator[Member], *, until: float
) -> Generator[Decoded, None, float | None]:
    """Decode until workers would help; return the seconds that a member took, or None at the end.

    They would help if decoding has taken `until` seconds, and much longer than copying its results.
    """
    count, seconds, size = 0, 0.0, 0
    for member, content in map(_load, members):
        if not isinstance(member, Encoded):
            yield member
            continue
        # CPU time, which does not depend on other processes.
        started = time.thread_time()
        decoded = _result(member, _outcome(member.name, member.decode, content))
        seconds += time.thread_time() - started
        count += 1
        size += decoded.data.nbytes if isinstance(decoded, Sample) else 0
        yield decoded
        if seconds >= until:
            if seconds > size * _SECONDS_PER_BYTE:
                return seconds / count
            count, seconds, size = 0, 0.0, 0
    return None


def _decode_there(members: Iterator[Member], *, workers: int, batch: int) -> Iterator[Decoded]:
    """Decode batches of so many members in `workers` processes."""
    waiting: deque[tuple[list[_Loaded], Future[list[_Outcome]]]] = deque()
    pool = ProcessPoolExecutor(workers, get_context("spawn"), _start)
    try:
        for loaded in _batches(members, count=batch):
            jobs = [(m.name, m.decode, content) for m, content in loaded if isinstance(m, Encoded)]
            waiting.append((loaded, pool.submit(_outcomes, jobs)))
            if len(waiting) > _AHEAD * workers:
                yield from _results(*waiting.popleft())
        while waiting:
            yield from _results(*waiting.popleft())
    except BrokenProcessPool as error:
        raise OutOfMemory(
            f"one of {workers} processes that decode the archive was killed before member "
            f"{loaded[-1][0].name}, probably because memory ran out. Give the job more memory, or "
            "let fewer processes decode (banks.threads). Decoded members are kept."
        ) from error
    finally:
        pool.shutdown(cancel_futures=True)


def _batches(members: Iterator[Member], *, count: int) -> Iterator[list[_Loaded]]:
    """Read members, and yield them in batches of `count`, or fewer if they are large."""
    batch: list[_Loaded] = []
    size = 0
    for member, content in map(_load, members):
        batch.append((member, content))
        size += member.data.nbytes if isinstance(member, Sample) else _num_bytes(content)
        if len(batch) >= count or size > _BATCH_BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _load(member: Member) -> _Loaded:
    """Read a member if it is encoded; it becomes a BadMember if that fails."""
    # Only this process reads: an archive is one stream, and members must be read in its order.
    if not isinstance(member, Encoded):
        return member, b""
    try:
        return member, member.read()
    except UnreadableError as error:
        return BadMember(member.name, member.label, member.split, str(error)), b""


def _num_bytes(content: Content) -> int:
    return len(content) if isinstance(content, bytes) else content[0].nbytes


def _start() -> None:
    """Set up a worker."""
    follow_parent()
    _ignore_pillow()


def _outcomes(jobs: list[tuple[str, _Decode, Content]]) -> list[_Outcome]:
    """Decode the members of a batch, but no more of them if their data grow large."""
    # A file of a few bytes can hold a long silence. The caller decodes the rest itself.
    outcomes: list[_Outcome] = []
    size = 0
    for job in jobs:
        outcomes.append(outcome := _outcome(*job))
        size += outcome.data.nbytes if isinstance(outcome, Noted) else 0
        if size > _BATCH_BYTES:
            break
    return outcomes


def _results(batch: list[_Loaded], future: "Future[list[_Outcome]]") -> Iterator[Decoded]:
    outcomes = iter(future.result())
    for member, content in batch:
        if isinstance(member, Encoded):
            outcome = next(outcomes, None)
            if outcome is None:
                outcome = _outcome(member.name, member.decode, content)
            yield _result(member, outcome)
        else:
            yield member


def _outcome(name: str, decode: _Decode, content: Content) -> _Outcome:
    try:
        found = decode(content)
    except UnreadableError as error:
        return str(error)
    except Exception as error:
        error.add_note(f"raised for member {name}")
        raise
    return found if isinstance(found, Noted) else Noted(found)


def _result(member: Encoded, outcome: _Outcome) -> Sample | BadMember:
    if isinstance(outcome, str):
        return BadMember(member.name, member.label, member.split, outcome)
    return Sample(member.name, member.label, member.split, outcome.data, outcome.notes)


@contextlib.contextmanager
def quiet_pillow() -> Iterator[None]:
    """Ignore Pillow's warnings about odd EXIF metadata, which do not concern the pixels."""
    with warnings.catch_warnings():
        _ignore_pillow()
        yield


def _ignore_pillow() -> None:
    warnings.filterwarnings("ignore", module=r"PIL\.")
