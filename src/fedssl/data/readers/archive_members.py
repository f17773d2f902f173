"""Members of zip, tar and tar.gz archives, read in place: nothing is ever unpacked to disk.

An archive is judged before it is believed. What it claims to hold is limited, so that a few bytes
cannot ask for all memory; what ends early, or does not match its own checksums, is refused.
"""

import contextlib
import functools
import gzip
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath
from typing import BinaryIO, Self, cast

from fedssl.data.banks.members import UnreadableError
from fedssl.errors import UserError

# Of a member: the longest clip that `fedssl.data.readers.decode` takes, at 8 bytes a sample.
MOST_BYTES = 1 << 28

_REMEDY = "delete it and acquire it again"
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
# Entries of a tar that describe the next one, which tarfile reads whole.
_META = (b"g", b"x", b"X", b"K", b"L")
_META_BYTES = 1 << 20
_CHUNK_BYTES = 1 << 20
_ZIP_ERRORS = (zipfile.BadZipFile, NotImplementedError, RuntimeError, OSError, EOFError)
_FORMAT_ERRORS = (ValueError, OverflowError, struct.error, zlib.error)


@contextlib.contextmanager
def open_zip(path: Path) -> Iterator[zipfile.ZipFile]:
    """Open a zip whose member names are all checked; raise UserError if it is not one."""
    try:
        archive = zipfile.ZipFile(path)
    except (*_ZIP_ERRORS, *_FORMAT_ERRORS) as error:
        raise UserError(f"{path} is not a whole zip archive ({error}); {_REMEDY}") from error
    with archive:
        for name in archive.namelist():
            _check_name(name, path)
        yield archive


def read_zip_member(archive: zipfile.ZipFile, name: str) -> bytes:
    """Return a member's bytes; raise UnreadableError where they are damaged or too many."""
    entry = archive.getinfo(name)
    _check_size(entry.file_size)
    if entry.compress_type not in _METHODS:
        raise UnreadableError(f"it is compressed by method {entry.compress_type}, not deflated")
    try:
        with archive.open(entry) as file:
            data = file.read(entry.file_size)
            file.read(1)  # The checksum is compared at the end of the file.
            return data
    except (*_ZIP_ERRORS, *_FORMAT_ERRORS) as error:
        raise UnreadableError(f"its bytes are damaged ({error})") from error


def read_required(read: Callable[[], bytes], where: str) -> bytes:
    """Return what `read` does; raise UserError, for members that a reader cannot do without."""
    try:
        return read()
    except UnreadableError as error:
        raise UserError(f"{where} cannot be read: {error}; {_REMEDY}") from error


def read_text(read: Callable[[], bytes], where: str) -> str:
    """Return a member that a reader cannot do without as text; raise UserError if it is none."""
    try:
        return read_required(read, where).decode("utf-8")
    except UnicodeDecodeError as error:
        raise UserError(f"{where} is not UTF-8 text ({error}); {_REMEDY}") from error


def read_file(path: Path) -> bytes:
    """Return the bytes of a file that stands alone; raise UnreadableError where they cannot be."""
    try:
        _check_size(path.stat().st_size)
        return path.read_bytes()
    except OSError as error:
        raise UnreadableError(f"it cannot be read ({error.strerror})") from error


def tar_members(path: Path) -> Iterator[tuple[str, Callable[[], bytes]]]:
    """Yield (name, read) of each regular file of a tar or tar.gz, front to back, in one pass.

    Links, devices and folders are passed over; a leading `./` is dropped from the name. Call
    `read` before asking for the next member. Asking raises UserError where the archive is
    damaged, and at its end where it does not match gzip's checksum.
    """
    with (
        _refuse_damaged(path),
        open_maybe_gzipped(path) as stream,
        tarfile.open(
            fileobj=cast(BinaryIO, _StrictStream(stream)), mode="r|", tarinfo=_StrictTarInfo
        ) as archive,
    ):
        for entry in archive:
            # Else tarfile keeps every header that it has passed: 1 kB for each of 289,205 notes.
            archive.members.clear()  # type: ignore[attr-defined]
            if entry.isfile():
                _check_name(entry.name, path)
                yield entry.name.removeprefix("./"), functools.partial(_read, archive, entry, path)
        while stream.read(_CHUNK_BYTES):
            pass


def open_maybe_gzipped(path: Path) -> BinaryIO:
    """Open a file that may be gzipped; reading to its end compares gzip's checksum."""
    with path.open("rb") as file:
        gzipped = file.read(2) == b"\x1f\x8b"
    return cast(BinaryIO, gzip.open(path)) if gzipped else path.open("rb")


class _StrictStream:
    """A file that says when it ends early; tarfile would ask on for all that a header claims."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file

    def read(self, size: int) -> bytes:
        """Return the next bytes; raise EOFError where there are none."""
        if data := self._file.read(size):
            return data
        raise EOFError("it ends early")


class _StrictTarInfo(tarfile.TarInfo):
    """A header that is right: tarfile takes a wrong one for the end of the archive."""

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> Self:
        try:
            entry = super().frombuf(buf, encoding, errors)
        except tarfile.EOFHeaderError:  # type: ignore[attr-defined]
            raise
        except tarfile.HeaderError as error:
            raise tarfile.ReadError(f"a header is wrong or missing: {error}") from error
        if entry.size < 0 or (entry.type in _META and entry.size > _META_BYTES):
            raise tarfile.ReadError(f"a header claims {entry.size} bytes")
        return entry


def _read(archive: tarfile.TarFile, entry: tarfile.TarInfo, path: Path) -> bytes:
    _check_size(entry.size)
    with _refuse_damaged(path):
        file = archive.extractfile(entry)
        return file.read() if file else b""


@contextlib.contextmanager
def _refuse_damaged(path: Path) -> Iterator[None]:
    try:
        yield
    except (tarfile.TarError, EOFError, OSError, RecursionError, *_FORMAT_ERRORS) as error:
        kind = "tar" if path.suffix == ".tar" else "tar.gz"
        raise UserError(f"{path} is not a whole {kind} archive ({error}); {_REMEDY}") from error


def _check_size(size: int) -> None:
    if size > MOST_BYTES:
        raise UnreadableError(f"it has {size} bytes where {MOST_BYTES} are allowed")


def _check_name(name: str, path: Path) -> None:
    if name.startswith("/") or ".." in PurePosixPath(name).parts or "\\" in name:
        raise UserError(f"{path} holds a member named {name!r}: names must be relative, without ..")
