"""Decode members to samples: read them one by one, decode in parallel, and keep the order."""

import contextlib
import warnings
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from fedssl.data.banks.members import (
    BadMember,
    Decoded,
    Encoded,
    Member,
    Noted,
    Sample,
    UnreadableError,
)

# Smaller members are decoded in the calling thread: passing them to another thread takes longer.
_POOLED_BYTES = 1 << 16
# Members per thread that may wait, which bounds the memory.
_AHEAD = 2


def decode_members(members: Iterable[Member], *, threads: int = 1) -> Iterator[Decoded]:
    """Yield all members in their order; encoded ones become samples or bad members.

    The number of threads does not change what is yielded. Memory is bounded: at most two large
    members per thread are decoded in advance.
    """
    # Threads are enough, because Pillow and libsndfile release the GIL while they decode.
    waiting: deque[Future[Decoded]] = deque()
    with ThreadPoolExecutor(threads) as pool:
        for member in members:
            waiting.append(_decoding(member, pool, threads=threads))
            if len(waiting) > _AHEAD * threads or waiting[0].done():
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


def _decoding(member: Member, pool: ThreadPoolExecutor, *, threads: int) -> Future[Decoded]:
    """Read a member and start decoding: in this thread if it is small, else in the pool."""
    if not isinstance(member, Encoded):
        return _done(member)
    # Only this thread reads: an archive is one stream, and members must be read in its order.
    try:
        content = member.read()
    except UnreadableError as error:
        return _done(_bad(member, error))
    if threads > 1 and isinstance(content, bytes) and len(content) >= _POOLED_BYTES:
        return pool.submit(_decode, member, content)
    return _done(_decode(member, content))


def _done(member: Decoded) -> Future[Decoded]:
    future: Future[Decoded] = Future()
    future.set_result(member)
    return future


def _decode(member: Encoded, content: Any) -> Sample | BadMember:
    try:
        found = member.decode(content)
    except UnreadableError as error:
        return _bad(member, error)
    noted = found if isinstance(found, Noted) else Noted(found)
    return Sample(member.name, member.label, member.split, noted.data, noted.notes)


def _bad(member: Encoded, error: UnreadableError) -> BadMember:
    return BadMember(member.name, member.label, member.split, str(error))


@contextlib.contextmanager
def quiet_pillow() -> Iterator[None]:
    """Ignore Pillow's warnings about odd EXIF metadata, which do not concern the pixels."""
    # Set this around all decoding, not in each thread: threads share the warning filters.
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module=r"PIL\.")
        yield
