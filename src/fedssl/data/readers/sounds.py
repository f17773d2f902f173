"""Decode the bytes of a sound file to mono sound at 16 kHz, piece by piece.

The samples are int16 as in most datasets, or float32 in [-1, 1] for quiet recordings of more bits.
"""

import contextlib
import io
import math
import os
import sys
from collections.abc import Iterator

import numpy as np
import soundfile
import soxr

from fedssl.data.banks.bank import SAMPLE_RATE
from fedssl.data.banks.settings import MAX_MINUTES
from fedssl.data.readers.containers.container import Container
from fedssl.data.readers.containers.inspect import inspect
from fedssl.data.samples import CANCELLED, Noted, UnreadableError, as_float
from fedssl.settings import SoundType

CLIPPED = "more than 1 % of its samples are beyond full scale and were clipped"
QUIET = "its level is below -60 dBFS, where the 16 bits of a bank keep little of it"

_PIECE = 1 << 20  # values over all channels
_INT16_SCALE = 32_768
# Float files may exceed full scale a little. Beyond this factor they do not hold a waveform.
_MAX_PEAK = 1_000.0
# Sample rates outside this range come from damaged headers.
_RATES_HZ = (1_000, 1_000_000)
_CLIPPED_SHARE = 0.01
_CANCELLED_POWER = 1e-2
_QUIET_POWER = 1e-6


def read_sound(
    data: bytes, *, max_minutes: float = MAX_MINUTES, dtype: SoundType = "int16"
) -> Noted:
    """Return a sound file as a mono waveform of `dtype` at 16 kHz, (samples,), with notes.

    Channels are averaged, then the waveform is resampled (soxr, quality HQ). A mono 16-bit file at
    16 kHz keeps its exact samples. The memory does not depend on the number of channels.

    Raises:
        UnreadableError: the bytes are not one whole sound file, or the sound is too long.
    """
    # soundfile, not torchaudio: torchaudio 2.11 cannot decode without the package torchcodec.
    container = inspect(data)
    try:
        with _readable(container.data) as source, soundfile.SoundFile(source) as file:
            rate = check_rate(file.samplerate)
            pieces = _pieces(file, container, max_minutes=max_minutes)
            if (file.subtype, file.channels, rate) == ("PCM_16", 1, SAMPLE_RATE):
                exact = np.concatenate([*pieces, np.zeros(0, np.int16)])
                return Noted(exact if dtype == "int16" else as_float(exact), container.notes)
            mono = Mono(rate, dtype)
            for piece in pieces:
                mono.add(piece)
    except (soundfile.SoundFileError, OSError, ValueError) as error:
        # Not the text of libsndfile: it differs in every run, and so would bank.json.
        raise UnreadableError("it is not a sound file that can be decoded") from error
    return Noted(mono.waveform(), (*container.notes, *mono.notes()))


@contextlib.contextmanager
def _readable(data: bytes) -> Iterator[io.BytesIO | str]:
    """Yield what libsndfile can open to read the bytes of a sound file."""
    # Before it recognises an MP3, libsndfile looks for a resource fork next to the file: if the
    # file has no name, for `.AppleDouble` in the working directory. So give it a name.
    if data[:1] != b"\xff" or sys.platform != "linux":
        yield io.BytesIO(data)
        return
    with os.fdopen(os.memfd_create("sound"), "wb") as file:
        file.write(data)
        file.flush()
        yield f"/proc/self/fd/{file.fileno()}"


def _pieces(
    file: soundfile.SoundFile, container: Container, *, max_minutes: float
) -> Iterator[np.ndarray]:
    """Yield the samples of a file, (samples, channels), or (samples,) int16 if they are exact."""
    wanted = file.frames if container.samples is None else container.samples
    least = wanted if container.least is None else container.least
    if (minutes := wanted / file.samplerate / 60) > max_minutes:
        raise UnreadableError(
            f"it lasts {minutes:.4g} minutes where {max_minutes:g} are allowed, see max_minutes"
        )
    exact = (file.subtype, file.channels, file.samplerate) == ("PCM_16", 1, SAMPLE_RATE)
    dtype, size, read = "int16" if exact else "float32", max(_PIECE // file.channels, 1), 0
    # With the number given, because files of some formats cannot be read in another way.
    while len(piece := file.read(min(size, wanted - read), dtype=dtype, always_2d=not exact)):
        read += len(piece)
        yield piece
    if read < least:
        raise UnreadableError(f"it is not a whole sound file: {read} of its {least} samples")


class Mono:
    """A waveform that is converted to mono `dtype` at 16 kHz, piece by piece."""

    def __init__(self, rate: int, dtype: SoundType = "int16") -> None:
        """Start with silence of no length; `rate` is in Hz."""
        self._dtype = np.dtype(dtype)
        self._stream = None
        if rate != SAMPLE_RATE:
            self._stream = soxr.ResampleStream(rate, SAMPLE_RATE, 1, dtype="float32", quality="HQ")
        self._parts: list[np.ndarray] = []
        self._heard = self._kept = self._clipped = 0
        self._power = self._power_of_channels = 0.0

    def add(self, piece: np.ndarray) -> None:
        """Append (samples, channels) float32 in [-1, 1].

        Raises:
            UnreadableError: samples are not finite, or far beyond full scale.
        """
        peak = float(max(piece.max(initial=0.0), -piece.min(initial=0.0)))
        if not math.isfinite(peak):
            raise UnreadableError("it holds NaN or infinite samples")
        if peak > _MAX_PEAK:
            raise UnreadableError(f"its samples reach {peak:.3g} where 1 is full scale")
        mono = piece.mean(axis=1) if piece.shape[1] > 1 else piece[:, 0]
        self._heard += len(mono)
        self._power += _power(mono)
        self._power_of_channels += _power(piece) / piece.shape[1]
        self._append(self._stream.resample_chunk(mono) if self._stream else mono)

    def waveform(self) -> np.ndarray:
        """Return the whole waveform, (samples,)."""
        if self._stream:
            self._append(self._stream.resample_chunk(np.zeros(0, np.float32), last=True))
        return np.concatenate([*self._parts, np.zeros(0, self._dtype)])

    def notes(self) -> tuple[str, ...]:
        """Return what the conversion lost, after `waveform`."""
        found = {
            CLIPPED: self._clipped > _CLIPPED_SHARE * self._kept,
            CANCELLED: self._power < _CANCELLED_POWER * self._power_of_channels,
            QUIET: self._dtype == np.int16 and 0 < self._power < _QUIET_POWER * self._heard,
        }
        return tuple(note for note, holds in found.items() if holds)

    def _append(self, mono: np.ndarray) -> None:
        if self._dtype != np.int16:
            self._parts.append(mono.astype(self._dtype))
            return
        scaled = np.rint(mono * _INT16_SCALE)
        # Clip after resampling: its filter can overshoot, and casting to int16 would wrap around.
        clipped = np.clip(scaled, -_INT16_SCALE, _INT16_SCALE - 1)
        self._clipped += int(np.count_nonzero(np.abs(scaled) > _INT16_SCALE))
        self._kept += len(clipped)
        self._parts.append(clipped.astype(np.int16))


def _power(samples: np.ndarray) -> float:
    """Return the sum of the squares of all samples."""
    return float(np.vdot(samples, samples))


def bank_waveform(waveform: np.ndarray, *, rate: int) -> np.ndarray:
    """Return a (samples, channels) float32 waveform in [-1, 1] as mono int16 at 16 kHz.

    Raises:
        UnreadableError: samples are not finite, or far beyond full scale.
    """
    mono = Mono(rate)
    mono.add(waveform)
    return mono.waveform()


def check_rate(rate: int) -> int:
    """Return the sample rate in Hz; raise UnreadableError if it is implausible."""
    least, most = _RATES_HZ
    if not least <= rate <= most:
        raise UnreadableError(f"its sample rate is {rate} Hz, not between {least} and {most}")
    return rate
