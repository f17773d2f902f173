"""Images of 16 bits and with transparent pixels."""

import io
import struct
import zlib
from typing import Any

import numpy as np
import pytest
from PIL import Image

from fedssl.data.decode import read_image
from fedssl.data.readers.pixels import ONLY_FIRST, TRANSPARENT
from fedssl.data.samples import Noted, UnreadableError

RAMP = np.linspace(0, 1, 64).reshape(8, 8)
GREY = np.rint(RAMP * 255)


def saved(image: Image.Image, **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format="PNG", **options)
    return buffer.getvalue()


def grey(bits: int, *, says: int | None = None) -> bytes:
    """Return a ramp over all values of so many bits in a 16-bit PNG, which can say how many."""
    data = saved(Image.fromarray(np.rint(RAMP * (2**bits - 1)).astype(np.uint16)))
    if says is None:
        return data
    content = b"sBIT" + bytes([says])
    chunk = struct.pack(">I", 1) + content + struct.pack(">I", zlib.crc32(content))
    return data[:33] + chunk + data[33:]


def colour(values: np.ndarray) -> bytes:
    """Return a PNG with 16 bits per colour; Pillow cannot write one."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    height, width, _ = values.shape
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)
    header = struct.pack(">IIBBBBB", width, height, 16, 2, 0, 0, 0)
    body = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


def greys(found: Noted) -> np.ndarray:
    assert (found.data == found.data[:, :, :1]).all()
    return found.data[:, :, 0]


@pytest.mark.parametrize("bits", [8, 10, 12])
def test_few_bits_of_16_are_scaled_if_their_number_is_known_and_else_refused(bits: int) -> None:
    assert np.abs(greys(read_image(grey(bits), bits=bits)) - GREY).max() <= 1
    assert np.abs(greys(read_image(grey(bits, says=bits))) - GREY).max() <= 1
    with pytest.raises(UnreadableError, match=f"reach only {2**bits - 1} of 65535; set `bits`"):
        read_image(grey(bits))


def test_a_number_of_bits_that_pixels_exceed_is_refused_or_not_believed() -> None:
    with pytest.raises(UnreadableError, match="reach 65535, which needs more than 12 bits"):
        read_image(grey(16), bits=12)
    np.testing.assert_array_equal(greys(read_image(grey(16, says=12))), GREY)


def test_a_dark_image_is_kept_if_all_16_bits_are_declared_and_a_black_one_always() -> None:
    assert greys(read_image(grey(12), bits=16)).max() == 16
    assert not read_image(saved(Image.new("I;16", (8, 8)))).data.any()


def test_16_bit_colours_are_kept_or_refused_like_greys() -> None:
    values = np.repeat(np.rint(RAMP * 65535)[:, :, None], 3, axis=2)
    assert np.abs(greys(read_image(colour(values))) - GREY).max() <= 1
    for bits, words in ((None, "reach only"), (12, "`bits` is 12, but only the upper 8")):
        with pytest.raises(UnreadableError, match=words):
            read_image(colour(values // 16), bits=bits)


@pytest.mark.parametrize("mode", ["RGBA", "LA", "PA", "P", "L", "I;16"])
def test_transparent_pixels_are_white_whatever_colour_they_hide(mode: str) -> None:
    if mode in ("P", "L", "I;16"):
        full = 65535 if mode == "I;16" else 255
        values = np.full((4, 4), full if mode != "P" else 1, np.int32)
        values[0] = 0
        image = Image.fromarray(values.astype(np.uint16 if mode == "I;16" else np.uint8))
        if mode == "P":
            image.putpalette([9, 9, 9, 200, 0, 0])
        found = read_image(saved(image, transparency=0))
    else:
        image = Image.new("RGBA", (4, 4), (200, 0, 0, 255))
        image.paste((9, 9, 9, 0), (0, 0, 4, 1))
        found = read_image(saved(image.convert(mode) if mode != "PA" else image.quantize(4)))
    assert (found.data[0] == 255).all()
    assert found.notes == (TRANSPARENT,)


def test_half_transparent_pixels_are_mixed_and_opaque_ones_are_not_noted() -> None:
    found = read_image(saved(Image.new("RGBA", (2, 2), (0, 0, 0, 128))))
    assert abs(int(found.data[0, 0, 0]) - 127) <= 1 and found.notes == (TRANSPARENT,)
    found = read_image(saved(Image.new("RGBA", (2, 2), (1, 2, 3, 255))))
    assert found.data[0, 0].tolist() == [1, 2, 3] and found.notes == ()


def test_the_limit_of_pixels_is_the_one_given() -> None:
    data = saved(Image.new("L", (200, 100)))
    assert read_image(data, max_megapixels=0.02).data.shape == (100, 200, 3)
    with pytest.raises(UnreadableError, match=r"has 0.02 megapixels where 0.019 are allowed"):
        read_image(data, max_megapixels=0.019)


def chunks(*content: tuple[bytes, bytes]) -> bytes:
    parts = (
        struct.pack(">I", len(d)) + k + d + struct.pack(">I", zlib.crc32(k + d)) for k, d in content
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def plain(depth: int, kind: int, row: bytes, *more: tuple[bytes, bytes]) -> bytes:
    """Return a PNG of 8 x 1 pixels, with further chunks before its pixels."""
    header = struct.pack(">IIBBBBB", 8, 1, depth, kind, 0, 0, 0)
    return chunks((b"IHDR", header), *more, (b"IDAT", zlib.compress(b"\0" + row)), (b"IEND", b""))


def test_a_damaged_png_is_refused_although_pillow_reads_it() -> None:
    data = saved(Image.fromarray(np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8)))
    for place in range(60, len(data) - 20, 211):
        damaged = bytearray(data)
        damaged[place] ^= 4
        with pytest.raises(UnreadableError, match="it is a damaged PNG: a checksum is wrong"):
            read_image(bytes(damaged))
    for cut in (*range(1, 12), len(data) // 2):
        with pytest.raises(UnreadableError, match="not a whole PNG: its end is missing"):
            read_image(data[:-cut])
    assert read_image(data + b"more").data.shape == (64, 64, 3)


def test_a_png_without_its_palette_is_refused() -> None:
    with pytest.raises(UnreadableError, match="not a whole JPEG or PNG image"):
        read_image(plain(4, 3, bytes(4)))


@pytest.mark.parametrize(("depth", "row"), [(1, b"\x0f"), (2, b"\x1b\x1b"), (4, bytes(range(4)))])
def test_a_transparent_grey_of_few_bits_becomes_white(depth: int, row: bytes) -> None:
    found = read_image(plain(depth, 0, row, (b"tRNS", b"\0\1")))
    opaque = read_image(plain(depth, 0, row))
    grey = 255 // (2**depth - 1)
    expected = np.where(opaque.data == grey, 255, opaque.data)
    np.testing.assert_array_equal(found.data, expected)
    assert found.notes == (TRANSPARENT,) and opaque.notes == ()


def test_a_transparent_colour_of_16_bits_is_refused() -> None:
    row = struct.pack(">24H", *[60_000] * 24)
    with pytest.raises(UnreadableError, match="transparent colour of 16 bits; save 8 bits"):
        read_image(plain(16, 2, row, (b"tRNS", struct.pack(">3H", *[60_000] * 3))))


OWN: Any = {"formats": ("BMP", "JPEG", "PNG", "TIFF", "WEBP")}


@pytest.mark.parametrize(
    ("kind", "mode"),
    [("TIFF", "RGB"), ("TIFF", "CMYK"), ("TIFF", "1"), ("WEBP", "RGBA"), ("BMP", "P")],
)
def test_other_formats_are_read_where_they_are_allowed_and_a_cut_is_noticed(
    kind: str, mode: str
) -> None:
    buffer = io.BytesIO()
    pixels = np.kron(np.eye(32), np.full((2, 2), 255)).astype(np.uint8)
    image = Image.fromarray(pixels).convert("RGB").convert(mode)
    image.save(buffer, format=kind, **({"lossless": True} if kind == "WEBP" else {}))
    np.testing.assert_array_equal(greys(read_image(buffer.getvalue(), **OWN)), pixels)
    with pytest.raises(UnreadableError, match="not a whole JPEG or PNG"):
        read_image(buffer.getvalue())
    for cut in (len(buffer.getvalue()) // 2, 20):
        with pytest.raises(UnreadableError, match="not a whole BMP, JPEG, PNG, TIFF or WEBP"):
            read_image(buffer.getvalue()[:-cut], **OWN)


def test_a_tiff_of_several_pages_is_noted_and_one_of_floats_is_refused() -> None:
    pages, floats = io.BytesIO(), io.BytesIO()
    first = Image.new("L", (4, 4), 7)
    first.save(pages, format="TIFF", save_all=True, append_images=[Image.new("L", (4, 4), 9)])
    found = read_image(pages.getvalue(), **OWN)
    assert found.data.max() == 7 and found.notes == (ONLY_FIRST,)
    Image.new("F", (4, 4)).save(floats, format="TIFF")
    with pytest.raises(UnreadableError, match="floating-point"):
        read_image(floats.getvalue(), **OWN)


@pytest.mark.parametrize("kind", ["i1", "<i2"])
def test_a_tiff_of_signed_numbers_is_refused(kind: str) -> None:
    buffer, unsigned = io.BytesIO(), kind.replace("i", "u")
    image = Image.fromarray(np.full((8, 8), 100, unsigned))
    image.save(buffer, format="TIFF", tiffinfo={339: 2})
    with pytest.raises(UnreadableError, match="signed numbers; save 8 or 16 bits without a sign"):
        read_image(buffer.getvalue(), **OWN)


def test_a_12_bit_tiff_is_treated_like_a_png() -> None:
    buffer = io.BytesIO()
    Image.fromarray(np.rint(RAMP * 4095).astype(np.uint16)).save(buffer, format="TIFF")
    with pytest.raises(UnreadableError, match="reach only 4095"):
        read_image(buffer.getvalue(), **OWN)
    found = read_image(buffer.getvalue(), bits=12, formats=("TIFF",))
    assert np.abs(greys(found) - GREY).max() <= 1
