"""Apple's Core Audio Format."""

from fedssl.data.readers.containers.container import (
    OPEN_END,
    REST,
    Container,
    cut_off,
    is_kind,
    joined,
    with_length,
)

MAGIC = b"caff"


def inspect(data: bytes) -> Container:
    """Return what a CAF file holds.

    Raises:
        UnreadableError: it is cut off or joined.
    """
    start, heard = 8, False
    while start + 12 <= len(data):
        if data[start : start + 4] == MAGIC:
            raise joined()
        kind = data[start : start + 4]
        if heard and not is_kind(kind):
            # libsndfile writes a byte behind the last chunk of some files.
            if MAGIC in data[start:]:
                raise joined()
            return Container(data, (REST,) if data[start:].strip(b"\0") else ())
        length = int.from_bytes(data[start + 4 : start + 12], "big", signed=True)
        start += 12
        # -1 is allowed for the last chunk, and means that it goes on to the end of the file.
        if length < 0:
            there = len(data) - start
            return Container(with_length(data, start - 8, there, size=8, order="big"), (OPEN_END,))
        if start + length > len(data):
            raise cut_off(len(data) - start, length)
        heard = heard or kind == b"data"
        start += length
    return Container(data)
