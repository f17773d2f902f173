"""Faults of PNG files that Pillow passes over: wrong checksums, and missing rows (then black)."""

import struct
import zlib
from collections.abc import Iterator

from fedssl.data.samples import UnreadableError

MAGIC = b"\x89PNG\r\n\x1a\n"
_PIXELS = (b"IHDR", b"PLTE", b"tRNS", b"IDAT")
# Samples of a pixel by the type of colour: grey, RGB, palette, grey and alpha, RGB and alpha.
_SAMPLES = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
# Interlaced images have seven passes: the first column and row, and the steps between them.
_PASSES = (
    (0, 0, 8, 8),
    (4, 0, 8, 8),
    (0, 4, 4, 8),
    (2, 0, 4, 4),
    (0, 2, 2, 4),
    (1, 0, 2, 2),
    (0, 1, 1, 2),
)
_PIECE = 1 << 20  # bytes inflated at once


def check_png(data: bytes) -> None:
    """Verify that a PNG file is whole.

    Raises:
        UnreadableError: Its end or rows of it are missing, or a checksum is wrong.
        zlib.error: Its pixels are damaged.
    """
    inflater, missing = zlib.decompressobj(), 0
    for kind, content in _chunks(data):
        if kind == b"IHDR":
            missing = _inflated_bytes(content)
        elif kind == b"IDAT":
            while content and missing > 0:
                missing -= len(inflater.decompress(content, _PIECE))
                content = inflater.unconsumed_tail
    if missing > 0 and missing > len(inflater.flush()):
        raise UnreadableError("it is not a whole PNG: rows are missing")


def _chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield the kind and content of each chunk up to the end of the image."""
    start, kind = len(MAGIC), b""
    while kind != b"IEND":
        length = int.from_bytes(data[start : start + 4], "big")
        kind, stop = data[start + 4 : start + 8], start + 12 + length
        if stop > len(data):
            raise UnreadableError("it is not a whole PNG: its end is missing")
        checksum = int.from_bytes(data[stop - 4 : stop], "big")
        if kind in _PIXELS and zlib.crc32(data[start + 4 : stop - 4]) != checksum:
            raise UnreadableError("it is a damaged PNG: a checksum is wrong")
        yield kind, data[start + 8 : stop - 4]
        start = stop


def _inflated_bytes(header: bytes) -> int:
    """Return the length in bytes of all inflated rows, with the filter byte of each."""
    width, height, depth, colour, _, _, interlaced = struct.unpack(">IIBBBBB", header[:13])
    bits = depth * _SAMPLES[colour]
    total = 0
    for column, row, right, down in _PASSES if interlaced else ((0, 0, 1, 1),):
        columns, rows = -((column - width) // right), -((row - height) // down)
        total += max(rows, 0) * (1 + -(-columns * bits // 8)) if columns > 0 else 0
    return total
