"""Verify that a file is the declared archive, by its size and checksum.

Archives are verified when they are fetched, and again when they are read into a bank. In between, a
user may have replaced the file, or put it there by hand. If no checksum is known, only the file
format is checked.
"""

import contextlib
import gzip
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from fedssl.data.fetch.pins import DatasetArchive, pin, with_pin
from fedssl.errors import UserError
from fedssl.files import checksum
from fedssl.typed import typed

_CHUNK_BYTES = 1 << 20
# Some servers start a text response with a byte order mark.
_BOM = b"\xef\xbb\xbf"


@contextlib.contextmanager
def verified_archives(
    config: Mapping[str, Any], dataset: str, *, paths: Mapping[str, str]
) -> Iterator[None]:
    """Verify all archives of a dataset; pin those without a checksum if the block succeeds.

    The block reads their contents. So a wrong archive that was fetched first is not pinned, and
    does not lock out the right one. A user's own files and generated archives have no declared
    checksum and are skipped.

    Args:
        config: the configuration, with `datasets` and `pins`.
        dataset: name of the dataset.
        paths: archive key -> path.

    Raises:
        UserError: an archive is damaged or differs from its declaration. The message says which
            archive and what to do.
    """
    datasets, pins, verified = config["datasets"], Path(config["pins"]), []
    for key, entry in datasets[dataset].get("archives", {}).items():
        # `from` names the dataset that owns an archive which several datasets share. The checksum
        # and the pin are those of the owner.
        owner = entry.get("from", dataset)
        if not datasets[owner].get("synthetic"):
            declared = datasets[owner]["archives"][key]
            archive, path = typed(DatasetArchive, {**declared, "dataset": owner}), Path(paths[key])
            with expected_archive(archive, pins, path=path) as pinned:
                check_archive(pinned, path)
            verified.append((pinned, path))
    try:
        yield
    except UserError as error:
        # No checksum says whether the archive is the right one, so the file may be what is wrong.
        if unknown := [str(path) for archive, path in verified if archive.is_pinnable]:
            raise UserError(
                f"{error}; no checksum of {', '.join(unknown)} is known, so if it is the wrong "
                "archive, delete it, and the next run fetches it again"
            ) from error
        raise
    for pinned, path in verified:
        with _explain_disk_errors(pins):
            pin(pinned, pins, path=path)


@contextlib.contextmanager
def expected_archive(
    archive: DatasetArchive, pins: Path, *, path: Path
) -> Iterator[DatasetArchive]:
    """Yield the archive with its pinned checksum, for a block that uses the file at `path`.

    Raises:
        UserError: a file cannot be read or written.
    """
    with _explain_disk_errors(pins):
        pinned = with_pin(archive, pins)
    with _explain_disk_errors(path):
        yield pinned


def check_archive(archive: DatasetArchive, path: Path) -> None:
    """Raise UserError if the file at `path` is not the declared archive.

    The file is not deleted: it may be the user's only copy of a restricted dataset.
    """
    if not (wrong := find_problem(archive, path)):
        return
    remedy = "correct its size and checksum in the datasets file"
    if archive.pinned_in:
        remedy = f"remove its line from {archive.pinned_in} to accept this file"
    raise UserError(
        f"{path} is not the archive that {archive.dataset} declares: {wrong}; delete it, or "
        f"{remedy}"
    )


def find_problem(archive: DatasetArchive, path: Path) -> str:
    """Return what is wrong with the file at `path`, or an empty string."""
    # Check this first: "it is a web page" helps more than "its size is wrong".
    if message := _error_page(path):
        return f"it is {message}, not the archive"
    found_size = path.stat().st_size
    if not found_size or archive.size not in (None, found_size):
        return f"it has {found_size} bytes, expected {describe_expected(archive)}"
    if archive.checksum is None:
        return _format_problem(path, archive.file)
    algorithm, _, wanted = archive.checksum.partition(":")
    found = checksum(path, algorithm=algorithm)
    origin = f", pinned in {archive.pinned_in}" if archive.pinned_in else ""
    return "" if found == wanted else f"its {algorithm} is {found}, expected {wanted}{origin}"


def describe_expected(archive: DatasetArchive) -> str:
    """Return the declared size and checksum of an archive as text for messages."""
    size = f"{archive.size} bytes" if archive.size else "an archive of unknown size"
    return f"{size} ({archive.checksum or 'no checksum is known'})"


@contextlib.contextmanager
def _explain_disk_errors(path: Path) -> Iterator[None]:
    """Turn an OSError into a UserError that names the file, which is `path` by default."""
    try:
        yield
    except OSError as error:
        place = error.filename2 or error.filename or path
        cause = error.strerror or error
        raise UserError(f"{place} cannot be used ({cause}): fix this and run again") from error


def _error_page(path: Path) -> str:
    """Return the kind of error page that the file is, or an empty string if it is none."""
    # Servers and proxies can answer with a login or error page and status 200. No archive format
    # that we read starts with these characters.
    with path.open("rb") as file:
        start = file.read(1024).removeprefix(_BOM).lstrip()
    kinds = {b"<": "a web page (HTML)", b"{": "a message in JSON"}
    return kinds.get(start[:1], "")


def _format_problem(path: Path, name: str) -> str:
    """Return what is wrong with the format of a file that has no known checksum, or ""."""
    if name.endswith(".zip"):
        return "" if zipfile.is_zipfile(path) else "it is not a whole zip archive"
    if not name.endswith((".gz", ".tgz")):
        return ""
    try:
        # gzip compares its own checksum at the end of the stream, so read all of it.
        with gzip.open(path) as file:
            while file.read(_CHUNK_BYTES):
                pass
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        return f"it is not a whole gzip file ({error})"
    return ""
