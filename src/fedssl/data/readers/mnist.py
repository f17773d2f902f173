"""MNIST: four gzipped idx files, 28 px greyscale digits."""

import gzip
import math
import struct
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

from fedssl.data.banks.bank import Modality
from fedssl.data.banks.members import BadMember, Sample
from fedssl.data.readers.archive_members import MOST_BYTES
from fedssl.errors import UserError

MODALITY: Modality = "image"

_SPLITS = ("train", "test")
_UINT8 = 0x08


def read(archives: Mapping[str, Path]) -> Iterator[Sample | BadMember]:
    """Yield the `train` and `test` digits, (28, 28, 1), in the order of the files."""
    for split in _SPLITS:
        images = _read_idx(archives[f"{split}_images"], dimensions=3)
        labels = _read_idx(archives[f"{split}_labels"], dimensions=1)
        if len(images) != len(labels):
            raise UserError(
                f"{archives[f'{split}_images']} holds {len(images)} images and "
                f"{archives[f'{split}_labels']} {len(labels)} labels; they must be as many"
            )
        for position, (image, label) in enumerate(zip(images, labels, strict=True)):
            yield Sample(f"{split}/{position:05d}", str(label), split, image[:, :, None])


def _read_idx(path: Path, *, dimensions: int) -> np.ndarray:
    """Return the uint8 array of a gzipped idx file: 2 zeros, type, rank, sizes, then the bytes."""
    try:
        with gzip.open(path) as file:
            start = file.read(4 + 4 * dimensions)
            shape = _shape(start, path, dimensions=dimensions)
            size = math.prod(shape)
            data = file.read(size)
            longer = file.read(1)
    except (OSError, EOFError, zlib.error) as error:
        raise UserError(f"{path} is not a whole gzip file ({error}); acquire it again") from error
    if len(data) != size or longer:
        found = "more" if longer else str(len(data))
        raise UserError(f"{path} holds {found} values where its header says {shape}")
    return np.frombuffer(data, np.uint8).reshape(shape)


def _shape(start: bytes, path: Path, *, dimensions: int) -> tuple[int, ...]:
    if start[:4] != bytes((0, 0, _UINT8, dimensions)) or len(start) < 4 + 4 * dimensions:
        raise UserError(
            f"{path} is not an idx file of {dimensions}-d bytes; it starts {start[:4]!r}"
        )
    shape = struct.unpack(f">{dimensions}I", start[4:])
    if math.prod(shape) > MOST_BYTES:
        raise UserError(f"{path} claims a shape of {shape}: more than {MOST_BYTES} values")
    return shape
