"""Read segments of long recordings without reading the rest.

The recordings are files that the user obtained by hand (see `fedssl.data.fetch.manual_files`):
sound files named `<recording>.wav` (or with another known suffix), HDF5 files with one
one-dimensional array per recording, or both.
"""

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import soundfile

from fedssl.data.decode import check_size
from fedssl.data.fetch.manual_files import SOUNDS, manual_files
from fedssl.data.readers.sounds import Mono, check_rate
from fedssl.data.samples import Noted, RawWaveform, UnreadableError
from fedssl.errors import UserError
from fedssl.settings import SoundType

_HDF5 = (".hdf5", ".h5")
# h5py raises all of these for damaged files.
_HDF5_ERRORS = (OSError, RuntimeError, KeyError, ValueError, TypeError)
# Annotations refer to the time of the video. Its sound track can end a little earlier.
_TOLERANCE_S = 1.0


@dataclass(frozen=True)
class Recordings:
    """Recordings by name.

    Attributes:
        sounds: name -> sound file.
        arrays: path -> open HDF5 file, which maps names to arrays.
        rate: rate in Hz at which segments are given, and sample rate of the arrays.
    """

    sounds: Mapping[str, Path]
    arrays: Mapping[Path, Any]
    rate: int

    def __contains__(self, name: str) -> bool:
        """Return whether there is such a recording; raise UserError if an HDF5 file is damaged."""
        return name in self.sounds or self._file(name) is not None

    def _file(self, name: str) -> Any:
        """Return the HDF5 file that contains the recording, or None."""
        for path, file in self.arrays.items():
            with _refuse_damaged(path):
                if name in file:
                    return file
        return None

    def names(self) -> list[str]:
        """Return the sorted names of all recordings; in HDF5 files, these are the top-level keys.

        Raises:
            UserError: an HDF5 file is damaged.
        """
        found = set(self.sounds)
        for path, file in self.arrays.items():
            with _refuse_damaged(path):
                found.update(file)
        return sorted(found)

    def segment(self, name: str, start: int, stop: int) -> RawWaveform:
        """Return the samples `start` to `stop`, counted at `rate`; see `decode_segment`.

        Raises:
            UnreadableError: the recording is damaged or ends before the segment.
        """
        try:
            if name in self.sounds:
                return self._from_sound(self.sounds[name], start, stop)
            file = self._file(name)
            return self._from_array(file[name], start, stop, file=file)
        except (soundfile.SoundFileError, *_HDF5_ERRORS) as error:
            raise UnreadableError(f"its recording {name} is damaged") from error

    def _from_sound(self, path: Path, start: int, stop: int) -> RawWaveform:
        with soundfile.SoundFile(path) as file:
            # A sound file can have another rate than the annotations count at.
            scale = check_rate(file.samplerate) / self.rate
            first, last = round(start * scale), round(stop * scale)
            _check_span(first, last, length=file.frames, rate=file.samplerate)
            check_size((last - first) * file.channels)
            file.seek(first)
            waveform = file.read(last - first, dtype="float32", always_2d=True)
            if len(waveform) < min(last, file.frames) - first:
                there = first + len(waveform)
                raise UnreadableError(f"its recording ends at sample {there} of {file.frames}")
            return waveform, file.samplerate

    def _from_array(self, array: Any, start: int, stop: int, *, file: Any) -> RawWaveform:
        # HDF5 entries can be links to other files. Following one would read a file that no
        # checksum covers.
        elsewhere = getattr(array, "external", None) or getattr(array, "is_virtual", False)
        if elsewhere or getattr(array, "file", file) != file:
            raise UnreadableError("its HDF5 entry points to another file")
        if getattr(array, "ndim", None) != 1 or array.dtype.kind not in "if":
            raise UnreadableError("its HDF5 entry is no 1-d array of samples")
        _check_span(start, stop, length=len(array), rate=self.rate)
        check_size(stop - start)
        # A float64 sample can overflow to infinity here; `Mono` refuses it.
        with np.errstate(over="ignore"):
            waveform = np.asarray(array[start:stop], dtype=np.float32)
        # Integers are PCM: their full scale is that of the integer type.
        if array.dtype.kind == "i":
            waveform /= -np.float32(np.iinfo(array.dtype).min)
        return waveform[:, None], self.rate


def decode_segment(segment: RawWaveform, *, dtype: SoundType = "int16") -> Noted:
    """Return a segment as mono `dtype` at 16 kHz, (samples,), with notes.

    Raises:
        UnreadableError: samples are not finite, or far beyond full scale.
    """
    waveform, rate = segment
    mono = Mono(rate, dtype)
    mono.add(waveform)
    return Noted(mono.waveform(), mono.notes())


@contextlib.contextmanager
def open_recordings(path: Path, *, rate: int) -> Iterator[Recordings]:
    """Open the recordings that `path` stands for; `rate` is the rate of their annotations in Hz.

    Raises:
        UserError: there are no recordings, or an HDF5 file is damaged.
    """
    # HDF5 files stay open for the whole build: opening one for each of 68,000 segments is slow.
    sounds: dict[str, Path] = {}
    with contextlib.ExitStack() as stack:
        arrays: dict[Path, Any] = {}
        for file in manual_files(path):
            if file.suffix.lower() in _HDF5:
                with _refuse_damaged(file):
                    arrays[file] = stack.enter_context(h5py.File(file, "r"))
            elif file.suffix.lower() in SOUNDS:
                # The first of several files with this name counts. Names end at the first dot, so
                # that `P01_01.mp4.wav` is the recording P01_01.
                sounds.setdefault(file.name.split(".")[0], file)
        if not sounds and not arrays:
            raise UserError(f"{path} holds no .wav and no .hdf5 file; add the recordings")
        yield Recordings(sounds, arrays, rate)


@contextlib.contextmanager
def _refuse_damaged(path: Path) -> Iterator[None]:
    try:
        yield
    except _HDF5_ERRORS as error:
        raise UserError(f"{path} is not a whole HDF5 file ({error})") from error


def _check_span(start: int, stop: int, *, length: int, rate: int) -> None:
    if start >= stop:
        raise UnreadableError(f"it spans no sample, from {start} to {stop}")
    if start >= length or stop > length + _TOLERANCE_S * rate:
        raise UnreadableError(
            f"it spans samples {start} to {stop} of a recording of {length} at {rate} Hz"
        )
