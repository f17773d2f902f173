"""Sony Wave64: WAV with 16-byte names of chunks and 64-bit lengths."""

from collections.abc import Mapping

from fedssl.data.readers.containers.container import (
    NO_LENGTH,
    REST,
    Container,
    cut_off,
    is_placeholder,
    joined,
    with_length,
    without_padding,
)
from fedssl.data.readers.containers.riff import BLOCK_FORMATS

MAGIC = b"riff\x2e\x91\xcf\x11"
_HEADER = 24  # bytes of a chunk's name and length, which the length counts


def inspect(data: bytes) -> Container:
    """Return what a Wave64 file holds.

    Raises:
        UnreadableError: it is cut off or joined.
    """
    start, header = 40, {b"fmt ": b"", b"fact": b""}
    while start + _HEADER <= len(data):
        length = int.from_bytes(data[start + 16 : start + 24], "little")
        if data[start : start + 4] == b"data":
            return _unpadded(_sound(data, start, length), start, header)
        header[data[start : start + 4]] = data[start + _HEADER : start + length]
        # Chunks are padded to a multiple of 8. A length of 0 would not advance.
        start += max(length + -length % 8, _HEADER)
    return Container(data)


def _sound(data: bytes, start: int, length: int) -> Container:
    there = len(data) - start
    whole = int.from_bytes(data[16:24], "little") == len(data)
    unknown = length in (0, _HEADER) and there > _HEADER
    if unknown or (length > there and (is_placeholder(length) or whole)):
        patched = with_length(data, start + 16, there, size=8, order="little")
        return Container(patched, (NO_LENGTH,))
    if length > there:
        raise cut_off(there - _HEADER, length - _HEADER)
    # Some programs do not pad the last chunk.
    ends = (start + length, start + length + -length % 8)
    if any(data.startswith(MAGIC, end) for end in ends):
        raise joined()
    rest = data[ends[1] :]
    # libsndfile would read what follows as sound.
    is_chunk = _HEADER <= int.from_bytes(rest[16:24], "little") <= len(rest) + 7
    return Container(data[: start + length], (REST,) if rest.strip(b"\0") and not is_chunk else ())


def _unpadded(found: Container, start: int, header: Mapping[bytes, bytes]) -> Container:
    described, stated = header[b"fmt "], header[b"fact"]
    if int.from_bytes(described[:2], "little") not in BLOCK_FORMATS:
        return found
    block_bytes, per_block = (int.from_bytes(described[i : i + 2], "little") for i in (12, 18))
    length = int.from_bytes(found.data[start + 16 : start + 24], "little") - _HEADER
    samples = int.from_bytes(stated[:8], "little")
    blocks = -(-length // max(block_bytes, 1))
    return without_padding(found, blocks=blocks, per_block=per_block, samples=samples)
