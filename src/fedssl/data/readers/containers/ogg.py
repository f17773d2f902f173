"""Ogg: pages of Vorbis, Opus or FLAC."""

import zlib
from collections.abc import Iterator

from fedssl.data.readers.containers.container import REST, Container, joined
from fedssl.data.samples import UnreadableError

MAGIC = b"OggS"
_HEADER = 27  # bytes before the table of segments
_FIRST, _LAST = 2, 4  # flags of the pages where a stream begins and ends
_REVERSED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))


def inspect(data: bytes) -> Container:
    """Return what an Ogg file holds.

    Raises:
        UnreadableError: it is cut off or joined, or lacks pages.
    """
    numbers: dict[bytes, int] = {}
    ended, sound_began, end = set(), False, 0
    for start, stop in _pages(data):
        flags, stream = data[start + 5], data[start + 14 : start + 18]
        number = int.from_bytes(data[start + 18 : start + 22], "little")
        # All streams of a file begin before the sound of the first one.
        if flags & _FIRST and sound_began:
            raise joined()
        if not flags & _FIRST and number != numbers.get(stream, -1) + 1:
            raise _incomplete(f"pages are missing before page {number}")
        sound_began = sound_began or not flags & _FIRST
        numbers[stream], end = number, stop
        if flags & _LAST:
            ended.add(stream)
    if missing := set(numbers) - ended:
        raise _incomplete(f"the last page of {len(missing)} of its streams is missing")
    return Container(data, (REST,) if data[end:].strip(b"\0") else ())


def _pages(data: bytes) -> Iterator[tuple[int, int]]:
    """Yield start and end of each page; stop at the first bytes that are none."""
    start = 0
    while data[start : start + 4] == MAGIC and start + _HEADER <= len(data):
        segments = data[start + _HEADER : start + _HEADER + data[start + 26]]
        stop = start + _HEADER + data[start + 26] + sum(segments)
        if stop > len(data):
            raise _incomplete("its last page is cut off")
        # The decoder leaves out a page with a wrong checksum, and fills up the length.
        if _checksum(data[start:stop]) != int.from_bytes(data[start + 22 : start + 26], "little"):
            raise _incomplete("one of its pages is damaged")
        yield start, stop
        start = stop


def _checksum(page: bytes) -> int:
    """Return the CRC-32 of a page, without the checksum that it holds."""
    # Ogg takes the bits of a byte in the other order than zlib, and starts from 0.
    content = (page[:22] + bytes(4) + page[26:]).translate(_REVERSED)
    found = zlib.crc32(content, 0xFFFF_FFFF) ^ 0xFFFF_FFFF
    return int(f"{found:032b}"[::-1], 2)


def _incomplete(why: str) -> UnreadableError:
    return UnreadableError(f"it is not a whole sound file: {why}")
