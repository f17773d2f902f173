"""Draw pictures and sounds whose class can be learnt, for the demo and the tests.

A class must survive the augmentations of the views. Texture alone does not work, for example: a
random resized crop changes its frequency.
"""

import io

import numpy as np
import soundfile
from PIL import Image

# Numbers of shapes and timbres below. Further classes differ only in hue and stripes, or in pitch.
_SHAPES = 5
_SOUNDS = 7
# Steps of the golden ratio keep the hues of any number of classes far apart.
_GOLDEN = 0.618034
_LOWEST_HZ = 180.0
_OGG_POLYNOMIAL = 0x04C11DB7


def picture(rng: np.random.Generator, class_id: int, *, size: int) -> np.ndarray:
    """Return a picture, (size, size, 3) uint8.

    The class sets the shape, the hue and the stripes; everything else is random.
    """
    y, x = np.mgrid[0:size, 0:size] / size - rng.uniform(0.3, 0.7, size=(2, 1, 1))
    mask = _shape(x, y, class_id % _SHAPES, radius=rng.uniform(0.18, 0.34))[:, :, None]
    angle = np.pi * class_id / 3 + rng.normal(0, 0.2)
    waves = np.sin(2 * np.pi * (3 + class_id % 4) * (x * np.cos(angle) + y * np.sin(angle)))
    ground = 90 + 40 * waves[:, :, None] + rng.uniform(-45, 45, size=3)
    colour = 127 + 110 * np.cos(2 * np.pi * (class_id * _GOLDEN + np.array([0, 1, 2]) / 3))
    pixels = np.where(mask, colour + rng.normal(0, 45, size=3), ground)
    return np.clip(pixels + rng.normal(0, 18, size=pixels.shape), 0, 255).astype(np.uint8)


def _shape(x: np.ndarray, y: np.ndarray, class_id: int, *, radius: float) -> np.ndarray:
    """Return the mask of a disc, square, ring, cross or triangle that is centred at 0."""
    distance, widest = np.hypot(x, y), np.maximum(abs(x), abs(y))
    masks: list[np.ndarray] = [
        distance < radius,
        widest < 0.8 * radius,
        (distance < radius) & (distance > 0.6 * radius),
        (np.minimum(abs(x), abs(y)) < 0.3 * radius) & (widest < radius),
        (y < 0.7 * radius) & (y > 2 * abs(x) - radius),
    ]
    return masks[class_id]


def sound(rng: np.random.Generator, class_id: int, *, seconds: float, rate: int) -> np.ndarray:
    """Return a sound, (samples,) float32 in [-1, 1].

    The class sets the timbre and the pitch; everything else is random.
    """
    t = np.arange(int(seconds * rate)) / rate
    pitch = _LOWEST_HZ * 2 ** (0.6 * (class_id // _SOUNDS)) * 2 ** rng.normal(0, 0.03)
    tone = _timbre(2 * np.pi * pitch * t, t / seconds, class_id % _SOUNDS)
    # Fade in and out: an abrupt start is a click, which sounds the same in all classes.
    envelope = np.minimum(1, 20 * np.minimum(t / seconds, 1 - t / seconds))
    level = rng.uniform(0.3, 0.6)
    noise = rng.normal(0, 0.004, size=len(t))
    return np.asarray(level * envelope * tone + noise, dtype=np.float32)


def _timbre(phase: np.ndarray, progress: np.ndarray, class_id: int) -> np.ndarray:
    """Return a tone, overtones, a rising or falling chirp, tremolo, vibrato or clicks."""
    tone = np.sin(phase)
    timbres: list[np.ndarray] = [
        tone,
        (tone + np.sin(2 * phase) + np.sin(3 * phase) + np.sin(5 * phase)) / 3,
        np.sin(phase * (1 + progress)),
        np.sin(phase * (2 - progress)),
        tone * (0.5 + 0.5 * np.sin(2 * np.pi * 6 * progress)),
        np.sin(phase + 4 * np.sin(2 * np.pi * 8 * progress)),
        tone * (np.sin(phase / 12) > 0.9),
    ]
    return timbres[class_id]


def jpeg(pixels: np.ndarray) -> bytes:
    """Return the bytes of a JPEG of an (H, W, 3) or greyscale (H, W) uint8 array."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, format="JPEG", quality=90)
    return buffer.getvalue()


def wav(waveform: np.ndarray, *, rate: int) -> bytes:
    """Return the bytes of a 16-bit WAV file."""
    buffer = io.BytesIO()
    soundfile.write(buffer, waveform, rate, format="WAV", subtype="PCM_16")
    return buffer.getvalue()


def ogg(waveform: np.ndarray, *, rate: int) -> bytes:
    """Return the bytes of an Ogg Vorbis file; equal waveforms give equal bytes."""
    buffer = io.BytesIO()
    soundfile.write(buffer, waveform, rate, format="OGG", subtype="VORBIS")
    return _with_fixed_serial(bytearray(buffer.getvalue()))


def _with_fixed_serial(stream: bytearray) -> bytes:
    """Return the Ogg stream with the serial number 1 in every page."""
    # libsndfile takes the serial number from the clock, so the bytes would differ in every run. The
    # checksum of each page covers the serial number and must be computed again.
    start = 0
    while start < len(stream):
        segments = stream[start + 26]
        end = start + 27 + segments + sum(stream[start + 27 : start + 27 + segments])
        stream[start + 14 : start + 18] = (1).to_bytes(4, "little")
        stream[start + 22 : start + 26] = bytes(4)
        stream[start + 22 : start + 26] = _ogg_crc(stream[start:end]).to_bytes(4, "little")
        start = end
    return bytes(stream)


# Ogg uses a CRC-32 without bit reflection, which zlib.crc32 does not provide.
def _crc_table() -> list[int]:
    table = []
    for byte in range(256):
        value = byte << 24
        for _ in range(8):
            value = (value << 1) ^ (_OGG_POLYNOMIAL if value & 0x80000000 else 0)
            value &= 0xFFFFFFFF
        table.append(value)
    return table


_CRC_TABLE = _crc_table()


def _ogg_crc(page: bytes | bytearray) -> int:
    crc = 0
    for byte in page:
        crc = ((crc << 8) & 0xFFFFFFFF) ^ _CRC_TABLE[(crc >> 24) ^ byte]
    return crc
