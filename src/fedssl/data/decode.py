"""Bytes of one archive member to the array a bank stores."""

import io
import struct
import warnings
from collections.abc import Callable

import numpy as np
import soundfile
import soxr
from PIL import Image

from fedssl.data.bank import SAMPLE_RATE
from fedssl.data.samples import BadMember, Sample, UnreadableError

_INT16_SCALE = 32_768


def decoded(
    name: str,
    read: Callable[[], bytes],
    decode: Callable[[bytes], np.ndarray],
    *,
    label: str,
    split: str,
) -> Sample | BadMember:
    """Return the sample `decode` makes of the bytes read, or a BadMember that says why not."""
    try:
        return Sample(name, label, split, decode(read()))
    except UnreadableError as error:
        return BadMember(name, label, split, str(error))


def decode_image(data: bytes) -> np.ndarray:
    """Return a JPEG or PNG as (H, W, 3) uint8; greyscale becomes three equal channels."""
    try:
        with warnings.catch_warnings():
            # Pillow warns of odd metadata (EXIF), which says nothing about the pixels.
            warnings.simplefilter("ignore")
            with Image.open(io.BytesIO(data), formats=("JPEG", "PNG")) as image:
                return np.asarray(image.convert("RGB"))
    except (OSError, ValueError, SyntaxError, struct.error, Image.DecompressionBombError) as error:
        raise UnreadableError(f"it is not a whole JPEG or PNG image ({error})") from error


def decode_audio(data: bytes) -> np.ndarray:
    """Return a sound file as mono int16 at 16 kHz: channels averaged, then resampled (soxr HQ).

    A mono 16-bit file at 16 kHz keeps its exact samples.
    """
    try:
        waveform, rate = soundfile.read(io.BytesIO(data), dtype="float32", always_2d=True)
    except (soundfile.SoundFileError, OSError, ValueError) as error:
        raise UnreadableError(f"it is not a sound file ({error})") from error
    return bank_waveform(waveform, rate=rate)


def bank_waveform(waveform: np.ndarray, *, rate: int) -> np.ndarray:
    """Return a (samples, channels) float waveform in [-1, 1] as mono int16 at 16 kHz."""
    mono = waveform.mean(axis=1) if waveform.shape[1] > 1 else waveform[:, 0]
    if not np.isfinite(mono).all():
        raise UnreadableError("it holds NaN or infinite samples")
    if rate != SAMPLE_RATE:
        mono = soxr.resample(mono, rate, SAMPLE_RATE, quality="HQ")
    scaled = np.clip(np.rint(mono * _INT16_SCALE), -_INT16_SCALE, _INT16_SCALE - 1)
    return np.asarray(scaled, dtype=np.int16)
