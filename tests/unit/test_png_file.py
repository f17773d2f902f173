"""PNG files of every kind are whole, and those without some of their rows are not."""

import io
import struct
import zlib
from collections.abc import Iterator

import numpy as np
import pytest
from PIL import Image

from fedssl.data.decode import read_image
from fedssl.data.samples import UnreadableError

MODES = ("1", "L", "LA", "P", "RGB", "RGBA", "I;16")
STEPS = [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2)]
STEPS += [(0, 1, 1, 2)]


def chunk(kind: bytes, content: bytes) -> bytes:
    sums = struct.pack(">I", zlib.crc32(kind + content))
    return struct.pack(">I", len(content)) + kind + content + sums


def saved(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format="PNG")
    return buffer.getvalue()


def with_rows(data: bytes, share: float) -> bytes:
    """Return a PNG with valid checksums that has only a share of its inflated bytes."""
    place, content = data.index(b"IDAT"), b""
    for start, stop in parts(data):
        content += data[start:stop]
    rows = zlib.decompress(content)
    fewer = zlib.compress(rows[: int(len(rows) * share)])
    return data[: place - 4] + chunk(b"IDAT", fewer) + chunk(b"IEND", b"")


def parts(data: bytes) -> Iterator[tuple[int, int]]:
    """Yield where the content of each chunk of pixels starts and stops."""
    place = data.find(b"IDAT")
    while place > 0:
        length = int.from_bytes(data[place - 4 : place], "big")
        yield place + 4, place + 4 + length
        place = data.find(b"IDAT", place + 4 + length)


def interlaced(pixels: np.ndarray) -> bytes:
    """Return an interlaced PNG of RGB pixels; Pillow cannot write one."""
    height, width, _ = pixels.shape
    rows = b"".join(
        b"\0" + row.tobytes()
        for column, first, right, down in STEPS
        for row in pixels[first::down, column::right]
        if row.size
    )
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 1)
    whole = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + whole


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("size", [(1, 1), (7, 5), (64, 33)])
def test_whole_files_are_read_and_those_without_rows_are_not(
    mode: str, size: tuple[int, int]
) -> None:
    values = np.random.default_rng(0).integers(0, 256, (size[1], size[0], 3), np.uint8)
    colours = Image.fromarray(values)
    if mode == "I;16":
        colours = Image.fromarray(values[:, :, 0].astype(np.uint16) * 257)
    data = saved(colours if mode == "I;16" else colours.convert(mode))
    assert read_image(data).data.shape == (size[1], size[0], 3)
    assert (read_image(with_rows(data, 1.0)).data == read_image(data).data).all()
    with pytest.raises(UnreadableError, match="it is not a whole PNG: rows are missing"):
        read_image(with_rows(data, 0.9))


@pytest.mark.parametrize("size", [(1, 1), (3, 2), (5, 9), (40, 31)])
def test_interlaced_files_are_read_and_those_without_rows_are_not(size: tuple[int, int]) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (size[1], size[0], 3), np.uint8)
    data = interlaced(pixels)
    assert (read_image(data).data == pixels).all()
    with pytest.raises(UnreadableError, match="it is not a whole PNG: rows are missing"):
        read_image(with_rows(data, 0.9))


def test_further_chunks_frames_and_bytes_behind_the_end_are_no_fault() -> None:
    frames = [Image.new("RGB", (9, 7), (shade, 0, 0)) for shade in (1, 2)]
    buffer = io.BytesIO()
    frames[0].save(buffer, format="PNG", save_all=True, append_images=frames[1:])
    data = buffer.getvalue()
    assert read_image(data + b"more").data[0, 0].tolist() == [1, 0, 0]
    end = data.index(b"IDAT") - 4
    assert read_image(data[:end] + chunk(b"prVt", b"mine") + data[end:]).data.shape == (7, 9, 3)


def test_content_behind_the_rows_is_not_inflated() -> None:
    data = saved(Image.new("L", (8, 8)))
    rows = bytes(8 * 9) + bytes(100_000_000)
    place = data.index(b"IDAT") - 4
    bomb = data[:place] + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    assert read_image(bomb).data.shape == (8, 8, 3)
