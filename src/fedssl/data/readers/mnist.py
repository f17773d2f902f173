"""MNIST: four gzipped IDX files of 28 px greyscale digits."""

import gzip
import math
import struct
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

from fedssl.data.banks.bank import Modality
from fedssl.data.readers.archive_members import MAX_BYTES
from fedssl.data.samples import BadMember, Sample
from fedssl.errors import UserError

MODALITY: Modality = "image"

_SPLITS = ("train", "test")
# The code of the type "unsigned byte" in an IDX header.
_UINT8 = 0x08


def read(archives: Mapping[str, Path]) -> Iterator[Sample | BadMember]:
    """Yield the `train` and `test` digits, (28, 28, 1) uint8, in the order of the files.

    Raises:
        UserError: a file is damaged, or images and labels differ in number.
    """
    for split in _SPLITS:
        images = _read_idx(archives[f"{split}_images"], dimensions=3)
        labels = _read_idx(archives[f"{split}_labels"], dimensions=1)
        if len(images) != len(labels):
            raise UserError(
                f"{archives[f'{split}_images']} holds {len(images)} images and "
                f"{archives[f'{split}_labels']} {len(labels)} labels; the numbers must be equal"
            )
        for position, (image, label) in enumerate(zip(images, labels, strict=True)):
            yield Sample(f"{split}/{position:05d}", str(label), split, image[:, :, None])


def _read_idx(path: Path, *, dimensions: int) -> np.ndarray:
    """Return the uint8 array of a gzipped IDX file."""
    # The header has two zeros, the type, the number of dimensions, and their sizes as big-endian
    # uint32. The values follow.
    try:
        with gzip.open(path) as file:
            start = file.read(4 + 4 * dimensions)
            shape = _shape(start, path, dimensions=dimensions)
            size = math.prod(shape)
            data = file.read(size)
            # One more byte must not exist. Reading it also makes gzip compare its checksum.
            longer = file.read(1)
    except (OSError, EOFError, zlib.error) as error:
        raise UserError(f"{path} is not a whole gzip file ({error}); acquire it again") from error
    if len(data) != size or longer:
        found = "more" if longer else str(len(data))
        raise UserError(
            f"{path} holds {found} values, but its header gives the shape {shape}; acquire it again"
        )
    return np.frombuffer(data, np.uint8).reshape(shape)


def _shape(start: bytes, path: Path, *, dimensions: int) -> tuple[int, ...]:
    if start[:4] != bytes((0, 0, _UINT8, dimensions)) or len(start) < 4 + 4 * dimensions:
        raise UserError(
            f"{path} is not an idx file of {dimensions}-d bytes; it starts with {start[:4]!r}"
        )
    shape = struct.unpack(f">{dimensions}I", start[4:])
    # Check before the data are read: the header could claim more than fits into memory.
    if math.prod(shape) > MAX_BYTES:
        raise UserError(f"{path} claims a shape of {shape}: more than {MAX_BYTES} values")
    return shape
