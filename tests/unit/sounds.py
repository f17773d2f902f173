"""Sound files of every kind, and a small VGGSound, for the readers' tests."""

import io
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import soundfile

from fedssl.data.samples import Member

# Container, sample format and rate of the files that a user may have.
KINDS = [
    ("WAV", "PCM_U8", 8_000),
    ("WAV", "PCM_16", 24_000),
    ("WAV", "PCM_24", 44_100),
    ("WAV", "PCM_32", 48_000),
    ("WAV", "FLOAT", 16_000),
    ("WAV", "DOUBLE", 44_100),
    ("FLAC", "PCM_24", 48_000),
    ("OGG", "VORBIS", 44_100),
]


def tone(pitch_hz: float, *, seconds: float = 1.0, rate: int = 16_000) -> np.ndarray:
    """Return a float tone at half of full scale."""
    return 0.5 * np.sin(2 * np.pi * pitch_hz * np.arange(round(seconds * rate)) / rate)


def three_tones(rate: int) -> np.ndarray:
    """Return one second each of 300, 600 and 900 Hz."""
    return np.concatenate([tone(hz, rate=rate) for hz in (300, 600, 900)])


def encoded(
    waveform: np.ndarray, *, rate: int = 16_000, container: str = "WAV", subtype: str = "PCM_16"
) -> bytes:
    """Return the bytes of a sound file; a (samples, 2) waveform is stereo."""
    buffer = io.BytesIO()
    soundfile.write(buffer, waveform, rate, format=container, subtype=subtype)
    return buffer.getvalue()


def pitch(waveform: np.ndarray) -> float:
    """Return the strongest frequency in Hz of a waveform at 16 kHz."""
    spectrum = np.abs(np.fft.rfft(waveform * np.hanning(len(waveform))))
    return float(np.argmax(spectrum) * 16_000 / len(waveform))


CLIP = encoded(tone(440, seconds=0.1))
# An id that begins with -, one with _, labels with a comma, the same id at two times.
CSV = """-XxUW9gW6mc,60,wind rustling leaves,train
_547JTmvb9g,30,"bird chirping, tweeting",train
AbCdEfGhIjK,7,"bird chirping, tweeting",test
AbCdEfGhIjK,123456,wind rustling leaves,test
"""
CLIPS = [
    "-XxUW9gW6mc_000060",
    "_547JTmvb9g_000030",
    "AbCdEfGhIjK_000007",
    "AbCdEfGhIjK_123456",
]


def annotated(folder: Path, clips: Path, text: str = CSV) -> dict[str, Path]:
    (folder / "vggsound.csv").write_text(text, encoding="utf-8")
    return {"annotations": folder / "vggsound.csv", "clips": clips}


def filled(folder: Path, files: Mapping[str, bytes]) -> Path:
    for name, data in files.items():
        path = folder / "clips" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return folder / "clips"


def outcome(samples: Iterator[Member]) -> dict[str, str]:
    return {sample.name: type(sample).__name__ for sample in samples}
