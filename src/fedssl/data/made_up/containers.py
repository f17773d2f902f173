"""The containers official archives come in, written with the same bytes for the same content."""

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
    """Write (name, bytes) members, dated 1980."""
    with atomic_write(path) as part, zipfile.ZipFile(part, "w") as archive:
        for name, data in members:
            archive.writestr(zipfile.ZipInfo(name), data, zipfile.ZIP_DEFLATED)


def write_tar_gz(path: Path, members: Iterable[Member]) -> None:
    """Write (name, bytes) members, dated 1970."""
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
    """Write a uint8 array as gzipped idx: 2 zeros, type 8, rank, sizes, bytes."""
    header = struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape)
    with atomic_write(path) as part:
        part.write_bytes(gzip.compress(header + array.tobytes(), mtime=0))


def python2_pickle(content: dict[str, Any]) -> bytes:
    """Return `content` as Python 2 pickled it: byte strings, and NumPy's old module names."""
    stream = bytearray(pickle.dumps(_encoded(content), protocol=3))
    # The byte string codes differ by one letter between protocols: C -> U (short), B -> T.
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
