"""Write the file formats of official archives; equal contents give equal bytes."""

import gzip
import io
import pickle
import pickletools
import struct
import tarfile
import zipfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from fedssl.files import atomic_write

Member = tuple[str, bytes]


def write_zip(path: Path, members: Iterable[Member]) -> None:
    """Write a zip archive of (name, bytes) members."""
    # ZipInfo without a date means 1980. `writestr` with a name would store the current time, and
    # the bytes would differ in every run.
    with atomic_write(path) as part, zipfile.ZipFile(part, "w") as archive:
        for name, data in members:
            archive.writestr(zipfile.ZipInfo(name), data, zipfile.ZIP_DEFLATED)


def write_tar_gz(path: Path, members: Iterable[Member]) -> None:
    """Write a tar.gz archive of (name, bytes) members."""
    # The gzip header and the tar entries contain a time and the gzip header a file name. Fix them
    # all, so that the bytes are the same in every run.
    with (
        atomic_write(path) as part,
        part.open("wb") as file,
        gzip.GzipFile("", "wb", fileobj=file, mtime=0) as stream,
        tarfile.open(fileobj=stream, mode="w", format=tarfile.GNU_FORMAT) as archive,
    ):
        for name, data in members:
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))


def write_idx(path: Path, array: np.ndarray) -> None:
    """Write a uint8 array as a gzipped IDX file."""
    # Two zeros, type 8 (unsigned byte), the number of dimensions, and their sizes as big-endian
    # uint32.
    header = struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape)
    with atomic_write(path) as part:
        part.write_bytes(gzip.compress(header + array.tobytes(), mtime=0))


def python2_pickle(content: dict[str, Any]) -> bytes:
    """Return `content` pickled as by Python 2, with byte strings and NumPy's old module names."""
    # CIFAR-10 was pickled by Python 2, and the reader must be tested with such a pickle. Python 3
    # cannot write one, so protocol 3 is written and its opcodes are replaced.
    stream = bytearray(pickle.dumps(_encoded(content), protocol=3))
    # Byte strings have other opcodes in protocol 3: C instead of U (short), B instead of T.
    renamed = {"PROTO": b"\x80\x02", "SHORT_BINBYTES": b"U", "BINBYTES": b"T"}
    for code, _, position in pickletools.genops(bytes(stream)):
        start = position or 0
        replacement = renamed.get(code.name, b"")
        stream[start : start + len(replacement)] = replacement
    return bytes(stream).replace(b"cnumpy._core.multiarray\n", b"cnumpy.core.multiarray\n")


def _encoded(value: Any) -> Any:
    if isinstance(value, dict):
        return {_encoded(key): _encoded(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_encoded(item) for item in value]
    return value.encode() if isinstance(value, str) else value
