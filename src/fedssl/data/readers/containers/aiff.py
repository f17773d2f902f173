"""AIFF and AIFF-C."""

from fedssl.data.readers.containers.container import (
    NO_LENGTH,
    OPEN_END,
    REST,
    Container,
    chunks,
    cut_off,
    end_of_chunks,
    is_placeholder,
    joined,
    padded,
    with_length,
)

MAGIC = b"FORM"
_KINDS = (b"AIFF", b"AIFC")  # others, such as 8SVX, begin with the same magic
_BLOCKS = b"ima4"  # ADPCM, whose blocks the header counts, but not the samples
_COMPRESSION = 18  # byte of the chunk that describes the sound


def inspect(data: bytes) -> Container:
    """Return what an AIFF file holds.

    Raises:
        UnreadableError: it is cut off or joined.
    """
    if data[8:12] not in _KINDS:
        return Container(data, (OPEN_END,))
    blocks = False
    for kind, start, length in chunks(data, 12, "big"):
        if kind == b"SSND":
            sound = _sound(data, start, length)
            return padded(sound) if blocks else sound
        blocks = blocks or (kind == b"COMM" and data.startswith(_BLOCKS, start + _COMPRESSION))
    return Container(data)


def _sound(data: bytes, start: int, length: int) -> Container:
    there = len(data) - start
    whole = int.from_bytes(data[4:8], "big") + 8 == len(data)
    # The content of the chunk begins with 8 bytes that are no sound.
    unknown = length in (0, 8) and end_of_chunks(data, start + length, "big") < len(data)
    if unknown or (length > there and (is_placeholder(length) or whole)):
        return Container(with_length(data, start - 4, there, size=4, order="big"), (NO_LENGTH,))
    if length > there:
        raise cut_off(there, length)
    rest = start + length + length % 2
    if data[rest : rest + 4] == MAGIC:
        raise joined()
    read = end_of_chunks(data, rest, "big") >= len(data.rstrip(b"\0"))
    return Container(data, () if read else (REST,))
