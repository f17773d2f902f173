"""Convert an opened image to 8-bit RGB: pixels of 16 bits, and transparent ones."""

import numpy as np
from PIL import Image

from fedssl.data.readers.png_file import MAGIC, check_png
from fedssl.data.samples import UnreadableError

ONLY_FIRST = "only the first of its images was read"
TRANSPARENT = "its transparent pixels were put on white"

# An image whose pixels stay below a quarter of the range probably uses fewer bits.
_LEAST_BITS = 14
_PNG_DEPTH = 24  # byte of a PNG's header
_TIFF_DEPTH, _TIFF_FORMAT = 258, 339  # tags of a TIFF
_SIGNED = 2


def bit_depth(image: Image.Image, data: bytes) -> int:
    """Return the number of bits per pixel and colour that the file of an opened image has."""
    if data[:8] == MAGIC:
        return data[_PNG_DEPTH]
    tags = getattr(image, "tag_v2", {}) if image.format == "TIFF" else {}
    return int(max(tags.get(_TIFF_DEPTH, (8,))))


def check_file(image: Image.Image, data: bytes) -> None:
    """Raise UnreadableError if Pillow would read wrong pixels from the file of an opened image."""
    if data[:8] == MAGIC:
        check_png(data)
    tags = getattr(image, "tag_v2", {}) if image.format == "TIFF" else {}
    if _SIGNED in tags.get(_TIFF_FORMAT, ()) and bit_depth(image, data) <= 16:
        raise UnreadableError("its pixels are signed numbers; save 8 or 16 bits without a sign")


def first_of_many(image: Image.Image) -> tuple[str, ...]:
    """Return a note if the file of an opened image holds several images, such as pages."""
    # The further images of a JPEG are previews, which cameras add.
    several = image.format in ("PNG", "TIFF", "WEBP") and getattr(image, "n_frames", 1) > 1
    return (ONLY_FIRST,) if several else ()


def rgb(
    image: Image.Image, data: bytes, *, bits: int | None, depth: int
) -> tuple[np.ndarray, tuple[str, ...]]:
    """Return an image as (H, W, 3) uint8, and notes.

    Args:
        image: the opened image.
        data: bytes of the file.
        bits: bits per pixel that a 16-bit image uses; None for 16, unless the image seems to use
            fewer.
        depth: bits per pixel that the file has, see `bit_depth`.

    Raises:
        UnreadableError: the pixels do not fit the number of bits.
    """
    if image.mode.startswith("I"):
        return _from_sixteen_bits(image, data, bits)
    if image.mode == "F":
        raise UnreadableError("its pixels are floating-point numbers; save 8 or 16 bits per pixel")
    _fit_transparency(image, depth)
    pixels, notes = _on_white(image)
    if depth == 16:
        _check_colours(257 * int(pixels.max()), bits)
    return pixels, notes


def _fit_transparency(image: Image.Image, depth: int) -> None:
    """Give the transparent colour as many bits as the pixels that Pillow returns."""
    hidden = image.info.get("transparency")
    if image.mode == "L" and isinstance(hidden, int) and depth < 8:
        image.info["transparency"] = hidden * 255 // ((1 << depth) - 1)
    if depth == 16 and isinstance(hidden, tuple):
        raise UnreadableError("it has a transparent colour of 16 bits; save 8 bits per colour")


def _from_sixteen_bits(
    image: Image.Image, data: bytes, bits: int | None
) -> tuple[np.ndarray, tuple[str, ...]]:
    values = np.asarray(image)
    if values.min() < 0:
        raise UnreadableError("it has negative pixels; save 8 or 16 bits per pixel")
    bits = bits or _significant_bits(data, highest=int(values.max()))
    _check_range(int(values.max()), bits)
    full = (1 << (bits or 16)) - 1
    # Pillow's convert() would clip these values at 255. For 16 bits, 65535 / 255 = 257.
    grey = np.rint(values / (full / 255)).astype(np.uint8)
    hidden = values == image.info.get("transparency", -1)
    grey[hidden] = 255
    return np.repeat(grey[:, :, None], 3, axis=2), (TRANSPARENT,) if hidden.any() else ()


def _significant_bits(data: bytes, *, highest: int) -> int | None:
    """Return the number of bits that a PNG says it uses, if its pixels do not exceed it."""
    place = data.find(b"sBIT", 0, data.find(b"IDAT"))
    bits = data[place + 4] if place > 0 else 16
    return bits if 8 <= bits < 16 and highest < 1 << bits else None


def _check_range(highest: int, bits: int | None) -> None:
    if bits is None and 0 < highest < 1 << _LEAST_BITS:
        raise UnreadableError(
            f"its 16-bit pixels reach only {highest} of 65535; set `bits` to the number of bits "
            "that they use, such as 12"
        )
    if highest >= 1 << (bits or 16):
        allowed = bits or 16
        raise UnreadableError(f"its pixels reach {highest}, which needs more than {allowed} bits")


def _check_colours(highest: int, bits: int | None) -> None:
    # Pillow keeps the upper 8 of the 16 bits of a colour, so those of 12 bits would be lost.
    if bits is None and 0 < highest < 1 << _LEAST_BITS:
        raise UnreadableError(
            f"its 16-bit colours reach only {highest} of 65535; save 8 bits per colour that use "
            "the whole range, or set `bits` to 16 if it is dark"
        )
    if bits not in (None, 16):
        raise UnreadableError(
            f"`bits` is {bits}, but only the upper 8 bits of its 16-bit colours are read; save "
            "8 bits per colour"
        )


def _on_white(image: Image.Image) -> tuple[np.ndarray, tuple[str, ...]]:
    """Return an image in RGB, with transparent pixels on white."""
    # convert("RGB") alone would show the colours that transparent pixels happen to have.
    colours = image.convert("RGBA") if image.has_transparency_data else image
    if colours is image or np.asarray(colours.getchannel("A")).min() == 255:
        return np.asarray(image.convert("RGB")), ()
    white = Image.new("RGBA", image.size, "white")
    return np.asarray(Image.alpha_composite(white, colours).convert("RGB")), (TRANSPARENT,)
