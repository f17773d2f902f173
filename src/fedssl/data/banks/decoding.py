"""Members to samples: read one after another, decoded side by side, handed on in order."""

import contextlib
import warnings
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from fedssl.data.banks.members import BadMember, Decoded, Encoded, Member, Sample, UnreadableError

# Below this, handing a member to another thread takes longer than decoding it.
_POOLED_BYTES = 1 << 16
_AHEAD = 2


def decode_members(members: Iterable[Member], *, threads: int = 1) -> Iterator[Decoded]:
    """Yield every member in its order, those that are encoded as samples or as bad members.

    The threads decode at most two large members each ahead of the one that is asked for, so
    memory does not grow with the members. Their number changes nothing of what is yielded.
    """
    waiting: deque[Decoded | Future[Decoded]] = deque()
    with ThreadPoolExecutor(threads) as pool:
        for member in members:
            waiting.append(_decoding(member, pool, threads=threads))
            if len(waiting) > _AHEAD * threads or _is_done(waiting[0]):
                yield _result(waiting.popleft())
        while waiting:
            yield _result(waiting.popleft())


def _decoding(
    member: Member, pool: ThreadPoolExecutor, *, threads: int
) -> Decoded | Future[Decoded]:
    """Read a member and start to decode it: here if it is small, else in the pool."""
    if not isinstance(member, Encoded):
        return member
    try:
        content = member.read()
    except UnreadableError as error:
        return _bad(member, error)
    if threads > 1 and _size(content) >= _POOLED_BYTES:
        return pool.submit(_decode, member, content)
    return _decode(member, content)


def _decode(member: Encoded, content: Any) -> Sample | BadMember:
    try:
        return Sample(member.name, member.label, member.split, member.decode(content))
    except UnreadableError as error:
        return _bad(member, error)


def _bad(member: Encoded, error: UnreadableError) -> BadMember:
    return BadMember(member.name, member.label, member.split, str(error))


def _is_done(member: Decoded | Future[Decoded]) -> bool:
    return member.done() if isinstance(member, Future) else True


def _result(member: Decoded | Future[Decoded]) -> Decoded:
    return member.result() if isinstance(member, Future) else member


def _size(content: Any) -> int:
    return len(content) if isinstance(content, bytes) else 0


@contextlib.contextmanager
def quiet_pillow() -> Iterator[None]:
    """Keep Pillow from warning of odd metadata (EXIF), which says nothing about the pixels.

    For all threads at once: they share the filters.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module=r"PIL\.")
        yield
