"""Decode the bytes of one image or sound file to the array that a bank stores."""

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

# Largest number of pixels of an image, or of samples of a clip over all channels (35 min at
# 16 kHz). A file of a few bytes can claim to hold more than fits into memory.
MAX_VALUES = 1 << 25

# Pillow raises all of these for damaged files.
_PILLOW_ERRORS = (OSError, ValueError, SyntaxError, TypeError, struct.error, zlib.error)
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

_INT16_SCALE = 32_768
# Float files may exceed full scale a little. Beyond this factor they do not hold a waveform.
_MAX_PEAK = 1_000.0
# Sample rates outside this range come from damaged headers.
_RATES_HZ = (1_000, 1_000_000)
# Programs that write WAV to a pipe do not know its length, and write a value above this one.
_UNKNOWN_LENGTH = 0x7FFF_0000


def decode_image(data: bytes, *, upright: bool = False, least: int | None = None) -> np.ndarray:
    """Return a JPEG or PNG as (H, W, 3) uint8.

    With `upright`, a photograph is turned according to its EXIF orientation. With `least`, a JPEG
    may come 2, 4 or 8 times smaller, with no fewer pixels than that on either side: its decoder
    then averages pixels, which takes an eighth of the time.

    Raises:
        UnreadableError: the bytes are not a complete JPEG or PNG, or the image is too large.
    """
    # Convert to RGB: about 2.5 % of the JPEGs of Tiny ImageNet are greyscale, and a bank needs one
    # shape. Allow only two formats, because Pillow has many decoders that untrusted files could
    # choose.
    try:
        with Image.open(io.BytesIO(data), formats=("JPEG", "PNG")) as image:
            check_size(image.width * image.height)
            if least is not None:
                _reduce(image, least=least)
            turned = _turned_upright(image) if upright else image
            return np.asarray(_eight_bit(turned).convert("RGB"))
    except (*_PILLOW_ERRORS, Image.DecompressionBombError) as error:
        raise UnreadableError(f"it is not a whole JPEG or PNG image ({error})") from error


def _reduce(image: Image.Image, *, least: int) -> None:
    """Let the decoder of a JPEG reduce the image; see `decode_image`."""
    for factor in (8, 4, 2):
        width, height = image.width // factor, image.height // factor
        # Other sizes would be rounded up, which moves the centre of the image.
        whole = (width * factor, height * factor) == image.size
        if whole and min(width, height) >= least:
            image.draft(None, (width, height))
            return


def _turned_upright(image: Image.Image) -> Image.Image:
    """Return the image turned by its EXIF orientation; ignore damaged metadata."""
    try:
        orientation = image.getexif().get(ExifTags.Base.Orientation)
    except _PILLOW_ERRORS:
        return image
    return image.transpose(_ORIENTATIONS[orientation]) if orientation in _ORIENTATIONS else image


def _eight_bit(image: Image.Image) -> Image.Image:
    """Return a 16-bit greyscale image with 8 bits per pixel; return others unchanged."""
    if not image.mode.startswith("I"):
        return image
    # Pillow's convert() would clip these values at 255. 65535 / 255 = 257.
    return Image.fromarray(np.rint(np.asarray(image) / 257).astype(np.uint8))


def decode_audio(data: bytes) -> np.ndarray:
    """Return a sound file as a mono int16 waveform at 16 kHz, (samples,).

    Channels are averaged, then the waveform is resampled (soxr, quality HQ). A mono 16-bit file at
    16 kHz keeps its exact samples.

    Raises:
        UnreadableError: the bytes are not a complete sound file, or the sound is too long.
    """
    # soundfile, not torchaudio: torchaudio 2.11 cannot decode without the package torchcodec.
    _check_wav_complete(data)
    try:
        with soundfile.SoundFile(io.BytesIO(data)) as file:
            rate = check_rate(file.samplerate)
            # A low sample rate makes the waveform longer when it is resampled to 16 kHz.
            check_size(file.frames * max(file.channels, SAMPLE_RATE // rate))
            if (file.subtype, file.channels, rate) == ("PCM_16", 1, SAMPLE_RATE):
                return np.asarray(file.read(dtype="int16"))
            waveform = file.read(dtype="float32", always_2d=True)
    except (soundfile.SoundFileError, OSError, ValueError) as error:
        raise UnreadableError(f"it is not a sound file ({error})") from error
    return bank_waveform(waveform, rate=rate)


def bank_waveform(waveform: np.ndarray, *, rate: int) -> np.ndarray:
    """Return a (samples, channels) float waveform in [-1, 1] as mono int16 at 16 kHz.

    Raises:
        UnreadableError: samples are not finite, or far beyond full scale.
    """
    peak = float(max(waveform.max(initial=0.0), -waveform.min(initial=0.0)))
    if not math.isfinite(peak):
        raise UnreadableError("it holds NaN or infinite samples")
    if peak > _MAX_PEAK:
        raise UnreadableError(f"its samples reach {peak:.3g} where 1 is full scale")
    mono = waveform.mean(axis=1) if waveform.shape[1] > 1 else waveform[:, 0]
    if rate != SAMPLE_RATE:
        mono = soxr.resample(mono, rate, SAMPLE_RATE, quality="HQ")
    # Clip after resampling: its filter can overshoot, and casting to int16 would wrap around.
    scaled = np.clip(np.rint(mono * _INT16_SCALE), -_INT16_SCALE, _INT16_SCALE - 1)
    return np.asarray(scaled, dtype=np.int16)


def check_rate(rate: int) -> int:
    """Return the sample rate in Hz; raise UnreadableError if it is implausible."""
    least, most = _RATES_HZ
    if not least <= rate <= most:
        raise UnreadableError(f"its sample rate is {rate} Hz, not between {least} and {most}")
    return rate


def check_size(values: int) -> None:
    """Raise UnreadableError if a member claims too many pixels or samples."""
    if not 0 <= values <= MAX_VALUES:
        raise UnreadableError(f"it claims {values} values where {MAX_VALUES} are allowed")


def _check_wav_complete(data: bytes) -> None:
    """Raise UnreadableError for a WAV file whose data chunk is cut off."""
    # libsndfile reads a truncated file without an error, as a shorter sound. Compare only the
    # length of the data chunk: many programs write a wrong length for the whole file.
    start = 12
    while data[:4] == b"RIFF" and start < len(data):
        kind, size = data[start : start + 4], data[start + 4 : start + 8]
        start, length = start + 8, int.from_bytes(size, "little")
        if kind == b"data" and len(data) < start + length < _UNKNOWN_LENGTH:
            there = len(data) - start
            raise UnreadableError(f"it is not a whole sound file: {there} of its {length} bytes")
        if kind == b"data":
            return
        # Chunks are padded to an even length.
        start += length + length % 2
