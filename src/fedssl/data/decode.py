"""Decode the bytes of one image or sound file to the array that a bank stores."""

import io
import struct
import zlib

import numpy as np
from PIL import ExifTags, Image

from fedssl.data.banks.settings import MAX_MEGAPIXELS
from fedssl.data.readers.pixels import bit_depth, check_file, first_of_many, rgb
from fedssl.data.readers.sounds import read_sound
from fedssl.data.samples import Noted, UnreadableError

# Largest number of samples of a segment over all channels.
MAX_VALUES = 1 << 25
# Pillow's own limit is fixed, and `_check_megapixels` replaces it.
Image.MAX_IMAGE_PIXELS = None

# Pillow raises all of these for damaged files.
_PILLOW_ERRORS = (
    *(OSError, EOFError, ValueError, SyntaxError, TypeError, AttributeError, LookupError),
    *(RuntimeError, ArithmeticError, AssertionError, struct.error, zlib.error),
)
# EXIF orientation -> operation that turns the image upright.
_ORIENTATIONS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def decode_image(data: bytes, *, upright: bool = False) -> np.ndarray:
    """Return a JPEG or PNG as (H, W, 3) uint8, see `read_image`."""
    return read_image(data, upright=upright).data


def read_image(
    data: bytes,
    *,
    upright: bool = False,
    bits: int | None = None,
    max_megapixels: float = MAX_MEGAPIXELS,
    least: int | None = None,
    formats: tuple[str, ...] = ("JPEG", "PNG"),
) -> Noted:
    """Return an image as (H, W, 3) uint8, with notes.

    Args:
        data: bytes of the file.
        upright: whether a photograph is turned according to its EXIF orientation.
        bits: bits per pixel that a 16-bit PNG uses, see `pixels.rgb`.
        max_megapixels: largest size in millions of pixels.
        least: a JPEG may come 2, 4 or 8 times smaller, with no fewer pixels than this on either
            side. Its decoder then averages pixels, which takes about a sixth of the time.
        formats: Pillow's names of the formats that are allowed.

    Raises:
        UnreadableError: the bytes are not a complete image, or the image is too large.
    """
    # Convert to RGB: about 2.5 % of the JPEGs of Tiny ImageNet are greyscale, and a bank needs one
    # shape. Allow few formats, because Pillow has many decoders that untrusted files could
    # choose.
    try:
        with Image.open(io.BytesIO(data), formats=formats) as image:
            _check_megapixels(image.width * image.height / 1e6, most=max_megapixels)
            # Asked before the image is turned, which makes an image without a file of it.
            check_file(image, data)
            depth, notes = bit_depth(image, data), first_of_many(image)
            if least is not None:
                _reduce(image, least=least)
            turned = _turned_upright(image) if upright else image
            pixels, more = rgb(turned, data, bits=bits, depth=depth)
            return Noted(pixels, (*notes, *more))
    except _PILLOW_ERRORS as error:
        # Not the text of Pillow: it can differ in every run, and so would bank.json.
        named = " or ".join([", ".join(formats[:-1]), formats[-1]])
        raise UnreadableError(f"it is not a whole {named} image") from error


def _check_megapixels(found: float, *, most: float) -> None:
    if found > most:
        raise UnreadableError(
            f"it has {found:.4g} megapixels where {most:g} are allowed, see max_megapixels"
        )


def _reduce(image: Image.Image, *, least: int) -> None:
    """Let the decoder of a JPEG reduce the image; see `read_image`."""
    for factor in (8, 4, 2):
        width, height = image.width // factor, image.height // factor
        # Other sizes would be rounded up, which moves the centre of the image.
        whole = (width * factor, height * factor) == image.size
        if whole and min(width, height) >= least:
            image.draft(None, (width, height))
            return


def _turned_upright(image: Image.Image) -> Image.Image:
    """Return the image turned by its EXIF orientation; ignore damaged metadata."""
    # Pillow itself turns a TIFF when it is loaded, and then removes the orientation.
    image.load()
    try:
        orientation = image.getexif().get(ExifTags.Base.Orientation)
    except _PILLOW_ERRORS:
        return image
    return image.transpose(_ORIENTATIONS[orientation]) if orientation in _ORIENTATIONS else image


def decode_audio(data: bytes) -> np.ndarray:
    """Return a sound file as a mono int16 waveform at 16 kHz, (samples,), see `read_sound`."""
    return read_sound(data).data


def check_size(values: int, *, most: int = MAX_VALUES) -> None:
    """Raise UnreadableError if a member claims too many pixels or samples."""
    if not 0 <= values <= most:
        raise UnreadableError(f"it claims {values} values where {most} are allowed")
