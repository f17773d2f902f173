"""Draw pictures and sounds from which contrastive pretraining can learn the class.

The class of a sample is what the augmentations of the views preserve: the pattern of a picture, the
motif of a sound. Everything else is a nuisance that two views of a sample do not share: the colour
jitter changes the hue and the brightness of a picture, and two crops of a sound have another
loudness and another background noise, because both drift along the sound. The nuisances are strong
enough that the features of a random encoder are poor, and weak enough that the views are alike to a
random encoder: otherwise training does not start within a few hundred steps.
"""

import io

import numpy as np
import soundfile
from PIL import Image

# Numbers of patterns and motifs below. Further classes are the same ones, turned or higher.
_PATTERNS = 10
_MOTIFS = 10
_TURN = np.pi / 20
_OCTAVES_HIGHER = 0.5

_LUMA = np.array([0.299, 0.587, 0.114])
_LOWEST_HZ = 250.0
_PERIOD_SECONDS = 0.12
_OGG_POLYNOMIAL = 0x04C11DB7


def picture(rng: np.random.Generator, class_id: int, *, size: int) -> np.ndarray:
    """Return a picture, (size, size, 3) uint8.

    The class sets the pattern. Its place, size and contrast are random, and so are the colours, the
    brightness and a tint that varies over the picture.
    """
    y, x = np.mgrid[0:size, 0:size] / size
    angle = _TURN * (class_id // _PATTERNS) + rng.normal(0, 0.08)
    scale, (left, top) = rng.uniform(0.88, 1.12), rng.uniform(0, 1, size=2)
    u = (np.cos(angle) * x + np.sin(angle) * y) / scale + left
    v = (np.cos(angle) * y - np.sin(angle) * x) / scale + top
    figure = _pattern(u, v, class_id % _PATTERNS)[:, :, None]
    brightness, contrast = rng.uniform(92, 162), rng.uniform(35, 75)
    # The figure is always brighter than its ground. With either polarity, the views of a picture
    # have too little in common at first.
    bright = _colour(rng, brightness + contrast)
    dark = _colour(rng, brightness - contrast)
    tint = 25 * np.stack([_ripple(rng, x, y) for _ in range(3)], axis=2)
    pixels = np.where(figure, bright, dark) + tint
    return np.asarray(
        np.clip(pixels + rng.normal(0, 10, size=pixels.shape), 0, 255), dtype=np.uint8
    )


def _colour(rng: np.random.Generator, luma: float) -> np.ndarray:
    """Return a colour of random hue and the given brightness, which greyscale keeps."""
    hue = rng.uniform(-60, 60, size=3)
    return np.asarray(luma + hue - hue @ _LUMA)


def _ripple(rng: np.random.Generator, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return a slow wave over the picture, in [-1, 1]."""
    across, down = rng.uniform(0.5, 1.5, size=2)
    return np.asarray(np.sin(2 * np.pi * (across * x + down * y + rng.uniform())))


def _pattern(x: np.ndarray, y: np.ndarray, class_id: int) -> np.ndarray:
    """Return the mask of a pattern that repeats in both directions."""
    across, down = _fold(2 * x), _fold(2 * y)
    distance = np.hypot(across, down)
    masks: list[np.ndarray] = [
        down < 0.5,
        across < 0.5,
        np.minimum(across, down) < 0.4,
        distance < 0.7,
        _fold(1.5 * (x + y)) < 0.5,
        (across < 0.5) ^ (down < 0.5),
        _fold(5 * y) < 0.5,
        _fold(5 * x) < 0.5,
        abs(distance - 0.65) < 0.22,
        _fold(3 * (y + 0.25 * across)) < 0.5,
    ]
    return masks[class_id]


def _fold(x: np.ndarray) -> np.ndarray:
    """Return a triangle wave of period 1, in [0, 1] and 0 at the middle of a period."""
    return np.asarray(2 * abs(np.mod(x, 1) - 0.5))


def sound(rng: np.random.Generator, class_id: int, *, seconds: float, rate: int) -> np.ndarray:
    """Return a sound, (samples,) float32 in [-1, 1].

    The class sets the motif that is repeated. Pitch and tempo are random, and loudness and
    background noise drift. The motifs also climb along the sound, or fall, depending on the class:
    without a course in time there is no order of clips to predict.
    """
    progress = np.linspace(0, 1, int(seconds * rate))
    motif = class_id % _MOTIFS
    higher = rng.uniform(-0.3, 0.3) + _OCTAVES_HIGHER * (class_id // _MOTIFS)
    octave = higher + (2 if motif % 2 else -2) * (progress - 0.5)
    period = _PERIOD_SECONDS * 2 ** rng.uniform(-0.2, 0.2)
    beat = progress * seconds / period + rng.uniform()
    figure = _motif(rng, beat, octave, motif, rate=rate)
    loudness = 0.5 * 10 ** (0.6 * _drift(rng, progress, seconds) - 0.3)
    noise = 10 ** (0.7 * _drift(rng, progress, seconds) - 2.0) * rng.normal(
        0, 1, size=len(progress)
    )
    return np.asarray(np.clip(loudness * figure + noise, -1, 1), dtype=np.float32)


def _drift(rng: np.random.Generator, progress: np.ndarray, seconds: float) -> np.ndarray:
    """Return a wave of about one second along the sound, in [-1, 1]."""
    waves = seconds * rng.uniform(0.7, 1.4)
    return np.asarray(np.sin(2 * np.pi * (waves * progress + rng.uniform())))


def _motif(
    rng: np.random.Generator, beat: np.ndarray, octave: np.ndarray, class_id: int, *, rate: int
) -> np.ndarray:
    """Return a motif that is repeated once a beat: tones, chirps, chords or hiss."""
    phase = np.mod(beat, 1)

    def tone(higher: np.ndarray | float) -> np.ndarray:
        hz = _LOWEST_HZ * 2 ** (octave + higher)
        return np.asarray(np.sin(2 * np.pi * np.cumsum(hz) / rate))

    # Fade in and out: an abrupt start is a click, which sounds the same in all classes.
    pulse = np.clip(6 * np.minimum(phase, 0.55 - phase), 0, 1)
    hiss = rng.normal(0, 0.4, size=len(phase))
    chord = (tone(0) + tone(1) + tone(1.58) + tone(2)) / 2
    motifs: list[np.ndarray] = [
        tone(1),
        hiss * pulse,
        tone(2.5 * phase),
        tone(2.5 - 2.5 * phase),
        tone(1) * pulse,
        tone(2.0 * (phase < 0.5)),
        chord,
        chord * pulse,
        tone(1.2 + 1.2 * np.sin(2 * np.pi * beat)),
        hiss,
    ]
    return motifs[class_id]


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
