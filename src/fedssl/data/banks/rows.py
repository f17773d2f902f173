"""Copy rows out of a bank's array: exactly those that a batch needs.

A row is an image, or a sample of sound. Training touches rows in random order. Page faults of a
memory map then read the whole read-ahead window of the disk for each crop, one after the other:
1.7 s and 49 times the wanted bytes for 256 crops of 2 s, against 0.06 s and 1.06 times here
(`benchmarks/reading.py`).
"""

import os
import weakref
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, Union

import numpy as np

from fedssl.data.banks.block_hashes import ArrayHashes
from fedssl.data.banks.verified import BlockCheck
from fedssl.errors import UserError
from fedssl.files import reading

if TYPE_CHECKING:
    from torch import Tensor

# In host memory, or on the device that holds the array.
Batch = Union[np.ndarray, "Tensor"]


class Rows(Protocol):
    """The rows of an array: in a file, in memory, or on a device."""

    def take(self, indices: np.ndarray) -> Batch:
        """Return the rows at these positions, in their order."""

    def frames(
        self, starts: np.ndarray, first: np.ndarray, last: np.ndarray, *, length: int
    ) -> Batch:
        """Return frames of single numbers, (len(starts), length).

        Each frame has the rows from its start on at its places `first` to `last`, and zeros at the
        others.
        """


class HostRows(ABC):
    """Rows that are copied to batches in host memory."""

    def __init__(self, array: np.ndarray) -> None:
        """Remember the shape and the type of a row of `array`."""
        self._shape, self.dtype = array.shape[1:], array.dtype

    @abstractmethod
    def copy(self, starts: Sequence[int] | np.ndarray, targets: Iterable[np.ndarray]) -> None:
        """Fill each target with the rows that begin at its start.

        A target is C-contiguous and has the shape and type of its rows.
        """

    def take(self, indices: np.ndarray) -> np.ndarray:
        """Return the rows at these positions, in their order."""
        taken = np.empty((len(indices), *self._shape), self.dtype)
        # One read for each run of neighbours: evaluation passes through a bank from start to end.
        starts = np.flatnonzero(np.diff(indices, prepend=-2) != 1)
        runs = pairwise([*starts.tolist(), len(taken)])
        self.copy(indices[starts], [taken[start:stop] for start, stop in runs])
        return taken

    def frames(
        self, starts: np.ndarray, first: np.ndarray, last: np.ndarray, *, length: int
    ) -> np.ndarray:
        """Return frames, (len(starts), length); see `Rows`."""
        frames = np.zeros((len(starts), length), self.dtype)
        self.copy(starts, [frame[a:b] for frame, a, b in zip(frames, first, last, strict=True)])
        return frames


class MemoryRows(HostRows):
    """The rows of an array that supports slicing."""

    def __init__(self, array: np.ndarray) -> None:
        """Refer to the array."""
        super().__init__(array)
        self._array = array

    def copy(self, starts: Sequence[int] | np.ndarray, targets: Iterable[np.ndarray]) -> None:
        """Fill each target with the rows that begin at its start."""
        for start, target in zip(starts, targets, strict=True):
            target[...] = self._array[start : start + len(target)]


class FileRows(HostRows):
    """The rows of a .npy file, read at their positions. Threads can share it.

    Attributes:
        num_rows: number of rows.
        row_bytes: size of a row.
        dtype: type of a row's numbers.
    """

    def __init__(self, path: str | Path, hashes: ArrayHashes | None = None) -> None:
        """Open the file; it is closed when the object is no longer used.

        With `hashes`, what is read is verified, see `verified`.
        """
        self._path = Path(path)
        self._file = os.open(path, os.O_RDONLY)
        weakref.finalize(self, os.close, self._file)
        self._check = BlockCheck(self._path, self._file, hashes) if hashes else None
        with reading(path):
            mapped = np.load(path, mmap_mode="r")
        super().__init__(mapped)
        self._begin, self.row_bytes, self.num_rows = mapped.offset, mapped[:1].nbytes, len(mapped)
        # Without this advice the kernel may read ahead behind each read.
        os.posix_fadvise(self._file, 0, 0, os.POSIX_FADV_RANDOM)

    def copy(self, starts: Sequence[int] | np.ndarray, targets: Iterable[np.ndarray]) -> None:
        """Fill each target with the rows that begin at its start.

        Raises:
            UserError: the file ends before, or what this job has read from it is damaged.
        """
        places = (np.asarray(starts) * self.row_bytes + self._begin).tolist()
        # Empty targets are left out: the end of the file is not an error for them.
        wanted = [(place, t.data) for place, t in zip(places, targets, strict=True) if t.size]
        while not self._read(wanted):
            pass

    def _read(self, wanted: Sequence[tuple[int, memoryview]]) -> bool:
        """Fill the targets; return whether the file stayed as it was."""
        # Announce all reads before the first one, so that the disk works on them in parallel. Cold
        # batches are read 2 to 3 times as fast, and it costs little when they are cached.
        for place, target in wanted:
            os.posix_fadvise(self._file, place, target.nbytes, os.POSIX_FADV_WILLNEED)
        for place, target in wanted:
            done = os.preadv(self._file, [target], place)
            # A read may return less than asked for: at most 2 GB, or after a signal.
            if done < target.nbytes:
                self._read_rest(target.cast("B")[done:], place + done)
        if self._check is None or not wanted:
            return True
        starts = np.array([place for place, _ in wanted])
        return self._check.read(starts, np.array([target.nbytes for _, target in wanted]))

    def _read_rest(self, target: memoryview, place: int) -> None:
        while target:
            done = os.preadv(self._file, [target], place)
            if not done:
                raise UserError(
                    f"{self._path} ends before byte {place + len(target)}, so it was cut short "
                    "after this job opened it; rerun the bank rule"
                )
            target, place = target[done:], place + done
