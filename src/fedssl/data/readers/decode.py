"""Bytes of one archive member to the array a bank stores."""

import io
import math
import struct
import zlib

import numpy as np
import soundfile
import soxr
from PIL import ExifTags, Image

from fedssl.data.banks.bank import SAMPLE_RATE
from fedssl.data.banks.members import UnreadableError

# Pixels of an image, or samples of a clip over all channels: 35 min at 16 kHz. A few bytes can
# claim, and some formats hold, more than fits into memory.
MOST_VALUES = 1 << 25

# What Pillow raises of files that are not whole.
_DAMAGE = (OSError, ValueError, SyntaxError, TypeError, struct.error, zlib.error)
# EXIF orientation -> what puts the image upright.
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}

_INT16_SCALE = 32_768
_LOUDEST = 1_000.0  # times full scale; beyond that it is no waveform in [-1, 1]
_RATES_HZ = (1_000, 1_000_000)
# What a wav's header says where its writer could not know the length, as in a pipe.
_UNKNOWN_LENGTH = 0x7FFF_0000


def decode_image(data: bytes, *, upright: bool = False) -> np.ndarray:
    """Return a JPEG or PNG as (H, W, 3) uint8; greyscale becomes three equal channels.

    `upright` turns a photograph as its EXIF orientation says.
    """
    try:
        with Image.open(io.BytesIO(data), formats=("JPEG", "PNG")) as image:
            check_size(image.width * image.height)
            turned = _turned(image) if upright else image
            return np.asarray(_eight_bit(turned).convert("RGB"))
    except (*_DAMAGE, Image.DecompressionBombError) as error:
        raise UnreadableError(f"it is not a whole JPEG or PNG image ({error})") from error


def _turned(image: Image.Image) -> Image.Image:
    """Return an image as its EXIF orientation says; damaged metadata says nothing."""
    try:
        orientation = image.getexif().get(ExifTags.Base.Orientation)
    except _DAMAGE:
        return image
    return image.transpose(_TURNS[orientation]) if orientation in _TURNS else image


def _eight_bit(image: Image.Image) -> Image.Image:
    """Return a 16-bit greyscale image with 8 bits, which `convert` would cut at 255."""
    if not image.mode.startswith("I"):
        return image
    return Image.fromarray(np.rint(np.asarray(image) / 257).astype(np.uint8))


def decode_audio(data: bytes) -> np.ndarray:
    """Return a sound file as mono int16 at 16 kHz: channels averaged, then resampled (soxr HQ).

    A mono 16-bit file at 16 kHz keeps its exact samples.
    """
    _check_riff(data)
    try:
        with soundfile.SoundFile(io.BytesIO(data)) as file:
            rate = check_rate(file.samplerate)
            check_size(file.frames * max(file.channels, SAMPLE_RATE // rate))
            if (file.subtype, file.channels, rate) == ("PCM_16", 1, SAMPLE_RATE):
                return np.asarray(file.read(dtype="int16"))
            waveform = file.read(dtype="float32", always_2d=True)
    except (soundfile.SoundFileError, OSError, ValueError) as error:
        raise UnreadableError(f"it is not a sound file ({error})") from error
    return bank_waveform(waveform, rate=rate)


def bank_waveform(waveform: np.ndarray, *, rate: int) -> np.ndarray:
    """Return a (samples, channels) float waveform in [-1, 1] as mono int16 at 16 kHz."""
    peak = float(max(waveform.max(initial=0.0), -waveform.min(initial=0.0)))
    if not math.isfinite(peak):
        raise UnreadableError("it holds NaN or infinite samples")
    if peak > _LOUDEST:
        raise UnreadableError(f"its samples reach {peak:.3g} where 1 is full scale")
    mono = waveform.mean(axis=1) if waveform.shape[1] > 1 else waveform[:, 0]
    if rate != SAMPLE_RATE:
        mono = soxr.resample(mono, rate, SAMPLE_RATE, quality="HQ")
    scaled = np.clip(np.rint(mono * _INT16_SCALE), -_INT16_SCALE, _INT16_SCALE - 1)
    return np.asarray(scaled, dtype=np.int16)


def check_rate(rate: int) -> int:
    """Return a sample rate in Hz; UnreadableError where no sound is kept at it."""
    least, most = _RATES_HZ
    if not least <= rate <= most:
        raise UnreadableError(f"its sample rate is {rate} Hz, not between {least} and {most}")
    return rate


def check_size(values: int) -> None:
    """Raise UnreadableError for more pixels or samples than a member may have."""
    if not 0 <= values <= MOST_VALUES:
        raise UnreadableError(f"it claims {values} values where {MOST_VALUES} are allowed")


def _check_riff(data: bytes) -> None:
    """Raise UnreadableError for a wav that ends early, which libsndfile reads as a shorter one.

    Only the length of its `data` chunk counts: many writers get that of the whole file wrong.
    """
    start = 12
    while data[:4] == b"RIFF" and start < len(data):
        kind, size = data[start : start + 4], data[start + 4 : start + 8]
        start, length = start + 8, int.from_bytes(size, "little")
        if kind == b"data" and len(data) < start + length < _UNKNOWN_LENGTH:
            there = len(data) - start
            raise UnreadableError(f"it is not a whole sound file: {there} of its {length} bytes")
        if kind == b"data":
            return
        start += length + length % 2
