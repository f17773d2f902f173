"""Read the members of zip, tar and tar.gz archives in place, without unpacking them to disk.

Archives are not trusted. Their claimed sizes are limited, so that a few bytes cannot make us
allocate all memory. Archives that are truncated or do not match their own checksums are refused.
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

from fedssl.data.samples import UnreadableError
from fedssl.errors import UserError

# Largest size of a member: the longest clip that `fedssl.data.decode` accepts, with 8 bytes
# per sample.
MAX_BYTES = 1 << 28

_REMEDY = "delete it and acquire it again"
# Other methods (bzip2, LZMA) allow far smaller zip bombs, and no dataset uses them.
_ALLOWED_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
# Types of tar entries that describe the next entry. tarfile reads them into memory completely.
_EXTENSION_TYPES = (b"g", b"x", b"X", b"K", b"L")
_MAX_EXTENSION_BYTES = 1 << 20
_CHUNK_BYTES = 1 << 20
_ZIP_ERRORS = (zipfile.BadZipFile, NotImplementedError, RuntimeError, OSError, EOFError)
_FORMAT_ERRORS = (ValueError, OverflowError, struct.error, zlib.error)


@contextlib.contextmanager
def open_zip(path: Path) -> Iterator[zipfile.ZipFile]:
    """Open a zip archive and check the names of all members.

    Raises:
        UserError: the file is not a zip archive, or a name points outside of the archive.
    """
    try:
        archive = zipfile.ZipFile(path)
    except (*_ZIP_ERRORS, *_FORMAT_ERRORS) as error:
        raise UserError(f"{path} is not a whole zip archive ({error}); {_REMEDY}") from error
    with archive:
        for name in archive.namelist():
            _check_name(name, path)
        yield archive


def read_zip_member(archive: zipfile.ZipFile, name: str) -> bytes:
    """Return a member's bytes; raise UnreadableError if they are damaged or too many."""
    entry = archive.getinfo(name)
    _check_size(entry.file_size)
    if entry.compress_type not in _ALLOWED_METHODS:
        raise UnreadableError(f"it is compressed by method {entry.compress_type}, not deflated")
    try:
        with archive.open(entry) as file:
            data = file.read(entry.file_size)
            # zipfile compares the checksum only when a read reaches the end of the member.
            file.read(1)
            return data
    except (*_ZIP_ERRORS, *_FORMAT_ERRORS) as error:
        raise UnreadableError("its bytes are damaged") from error


def read_required(read: Callable[[], bytes], where: str) -> bytes:
    """Return the bytes of a member that is required; raise UserError if it is unreadable."""
    try:
        return read()
    except UnreadableError as error:
        raise UserError(f"{where} cannot be read: {error}; {_REMEDY}") from error


def read_text(read: Callable[[], bytes], where: str) -> str:
    """Return the text of a member that is required; raise UserError if it is not UTF-8."""
    try:
        return read_required(read, where).decode("utf-8")
    except UnicodeDecodeError as error:
        raise UserError(f"{where} is not UTF-8 text ({error}); {_REMEDY}") from error


def read_file(path: Path) -> bytes:
    """Return the bytes of a single file; raise UnreadableError if it cannot be read."""
    try:
        _check_size(path.stat().st_size)
        return path.read_bytes()
    except OSError as error:
        raise UnreadableError("its file cannot be read") from error


def tar_members(path: Path) -> Iterator[tuple[str, Callable[[], bytes]]]:
    """Yield (name, read) of each regular file in a tar or tar.gz archive, in one pass.

    Links, devices and folders are skipped. A leading `./` is removed from the names. Call `read`
    before asking for the next member.

    Raises:
        UserError: the archive is damaged or does not match its gzip checksum, which is only known
            at the end.
    """
    # "r|" reads the archive as a stream. Random access into a tar.gz would decompress it from the
    # start for every member.
    with (
        _refuse_damaged(path),
        open_maybe_gzipped(path) as stream,
        tarfile.open(
            fileobj=cast(BinaryIO, _StrictStream(stream)), mode="r|", tarinfo=_StrictTarInfo
        ) as archive,
    ):
        for entry in archive:
            # tarfile keeps every header that it has read: 1 kB for each of NSynth's 289,205 notes.
            archive.members.clear()  # type: ignore[attr-defined]
            if entry.isfile():
                _check_name(entry.name, path)
                yield entry.name.removeprefix("./"), functools.partial(_read, archive, entry, path)
        # Read to the end of the stream, where gzip compares its checksum.
        while stream.read(_CHUNK_BYTES):
            pass


def open_maybe_gzipped(path: Path) -> BinaryIO:
    """Open a file that may be gzipped; gzip's checksum is compared when its end is read."""
    # Look at the first bytes, because the name can be wrong: some servers and browsers unpack a
    # .tar.gz while they download it.
    with path.open("rb") as file:
        gzipped = file.read(2) == b"\x1f\x8b"
    return cast(BinaryIO, gzip.open(path)) if gzipped else path.open("rb")


class _StrictStream:
    """A stream that raises EOFError at its end.

    tarfile would otherwise keep asking for as many bytes as a header claims.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file

    def read(self, size: int) -> bytes:
        """Return the next bytes; raise EOFError if there are none."""
        if data := self._file.read(size):
            return data
        raise EOFError("it ends early")


class _StrictTarInfo(tarfile.TarInfo):
    """A tar header that must be valid; tarfile treats an invalid one as the end of the archive."""

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> Self:
        try:
            entry = super().frombuf(buf, encoding, errors)
        except tarfile.EOFHeaderError:  # type: ignore[attr-defined]
            raise
        except tarfile.HeaderError as error:
            raise tarfile.ReadError(f"a header is wrong or missing: {error}") from error
        if entry.size < 0 or (entry.type in _EXTENSION_TYPES and entry.size > _MAX_EXTENSION_BYTES):
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
    if size > MAX_BYTES:
        raise UnreadableError(f"it has {size} bytes where {MAX_BYTES} are allowed")


def _check_name(name: str, path: Path) -> None:
    if name.startswith("/") or ".." in PurePosixPath(name).parts or "\\" in name:
        raise UserError(
            f"{path} holds a member named {name!r}; names must be relative, without .. and \\"
        )
