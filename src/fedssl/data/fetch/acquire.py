"""Fetch an archive from the mirror or its official address, and verify it.

The archive appears at its destination only when it is complete and verified.
"""

import contextlib
import logging
import shutil
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit
from urllib.request import url2pathname

import pooch
import requests

from fedssl.data.fetch.pins import DatasetArchive
from fedssl.data.fetch.verify import (
    check_archive,
    describe_expected,
    expected_archive,
    find_problem,
)
from fedssl.errors import UserError
from fedssl.files import atomic_write
from fedssl.lease import hold, lease_of
from fedssl.typed import typed

_LOG = logging.getLogger(__name__)

_CHUNK_BYTES = 1 << 16
# Seconds to connect, and seconds between two chunks. The second is long because some official
# hosts are slow: about 90 kB/s has been reported for CIFAR-10.
_TIMEOUT_S = (30, 300)


# Seconds to wait for another process that fetches the same archive; it may have a slow host.
_WAIT_S = 86_400.0


class _SourceError(Exception):
    """A source did not provide the archive; the message says why."""


def declared_archive(config: Mapping[str, Any], dataset: str, *, file: str) -> dict[str, Any]:
    """Return the arguments of `acquire` that the configuration gives for an archive."""
    entry = config["datasets"][dataset]
    archive = next(a for a in entry["archives"].values() if a.get("file") == file)
    access = entry["access"]
    for folder in ("data_dir", "results_dir"):
        access = access and access.replace(f"<{folder}>", config[folder])
    return {"archive": archive, "dataset": dataset, "access": access}


def acquire(
    archive: Mapping[str, Any],
    destination: Path,
    *,
    dataset: str,
    mirror: str | None,
    pins: Path,
    access: str | None,
) -> None:
    """Put a verified archive at `destination`.

    The mirror is tried first, then the official addresses. An existing file is verified and kept.
    Several processes may call this for the same file: one fetches it and the others wait. An
    archive without a checksum must have its pinned one, see `fedssl.data.fetch.pins`.

    Args:
        archive: the archive in the datasets file, see `fedssl.data.settings.Archive`.
        destination: path of the file to write.
        dataset: name of the dataset, which is also the archive's folder in the mirror.
        mirror: folder or address (http, https or file) that holds `<dataset>/<file>`, or None.
        pins: file of the pinned checksums.
        access: how to get a restricted archive by hand, or None.

    Raises:
        UserError: no source provided the declared file, or it cannot be written. The message
            lists the sources that were tried and says what to do.
    """
    declared = typed(DatasetArchive, {**archive, "dataset": dataset})
    with expected_archive(declared, pins, path=destination) as pinned:
        if not _is_present(pinned, destination):
            _obtain(pinned, destination, mirror=mirror, access=access)


def _obtain(
    archive: DatasetArchive, destination: Path, *, mirror: str | None, access: str | None
) -> None:
    with _locked(destination):
        # Check again: another process may have fetched the file while this one waited.
        if _is_present(archive, destination):
            return
        tried = []
        for source in _sources(archive, mirror):
            if not (failure := _fetch(source, archive, destination)):
                return
            tried.append(f"{source}: {failure}")
            _LOG.warning("cannot get %s from %s: %s", archive.file, source, failure)
    raise UserError(_failure_message(archive, destination, access=access, tried=tried))


@contextlib.contextmanager
def _locked(destination: Path) -> Iterator[None]:
    """Hold the archive's lease, and remove partial files that a killed process left."""
    # Deleting partial files is safe only while holding it: nobody else is writing one.
    with hold(lease_of(destination), what=str(destination), wait=_WAIT_S):
        for leftover in destination.parent.glob(f".{destination.name}.*.part"):
            leftover.unlink()
        yield


def _sources(archive: DatasetArchive, mirror: str | None) -> list[str]:
    """Return the places to try, in order: the mirror, then the official addresses."""
    if mirror is None:
        return list(archive.urls)
    if urlsplit(mirror).scheme in ("http", "https", "file"):
        return [f"{mirror.rstrip('/')}/{quote(archive.name)}", *archive.urls]
    return [str(Path(mirror).expanduser() / archive.name), *archive.urls]


def _fetch(source: str, archive: DatasetArchive, destination: Path) -> str:
    """Fetch `source` to `destination`; return "" on success, else the reason for the failure."""
    try:
        # Verify before the rename of `atomic_write`: a wrong file never gets the archive's name.
        with atomic_write(destination) as temporary:
            if urlsplit(source).scheme in ("http", "https"):
                _download(source, temporary)
            else:
                _copy(source, temporary)
            if wrong := find_problem(archive, temporary):
                raise _SourceError(wrong)
    except _SourceError as error:
        return str(error)
    return ""


def _copy(source: str, temporary: Path) -> None:
    parts = urlsplit(source)
    path = Path(url2pathname(parts.path)) if parts.scheme == "file" else Path(source)
    try:
        shutil.copyfile(path, temporary)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise _SourceError("no such file") from error
    except (PermissionError, IsADirectoryError) as error:
        raise _SourceError(f"cannot read it ({error.strerror})") from error


def _download(url: str, temporary: Path) -> None:
    # "identity", because some servers declare a .gz file as encoded content. requests would then
    # unpack it, and the checksum of the archive would not match.
    download = pooch.HTTPDownloader(
        progressbar=sys.stderr.isatty(),
        chunk_size=_CHUNK_BYTES,
        timeout=_TIMEOUT_S,
        headers={"Accept-Encoding": "identity"},
    )
    try:
        download(url, str(temporary), None)
    except requests.HTTPError as error:
        status = error.response.status_code
        raise _SourceError(f"the server answers {status} {error.response.reason}") from error
    except (requests.RequestException, ValueError) as error:
        # pooch raises ValueError if the header Content-Length is not a number.
        raise _SourceError(f"the transfer failed ({error})") from error


def _is_present(archive: DatasetArchive, destination: Path) -> bool:
    # Called before locking as well, so that a complete data folder may be read-only.
    if not destination.exists():
        return False
    check_archive(archive, destination)
    return True


def _failure_message(
    archive: DatasetArchive, destination: Path, *, access: str | None, tried: list[str]
) -> str:
    attempts = "\n".join(f"  tried {failure}" for failure in tried) or "  no source is known"
    pinned = archive.pinned_in
    pin_hint = f"  if a wrong file was pinned, remove its line from {pinned}\n" if pinned else ""
    by_hand = access or f"download it by hand from {' or '.join(archive.urls) or 'its owner'}"
    return (
        f"{archive.dataset}: cannot obtain {archive.file}, expected {describe_expected(archive)}\n"
        f"{attempts}\n{pin_hint}  {by_hand}\n"
        f"  and put it at {destination}, or at <mirror>/{archive.name}, where <mirror> is the "
        "folder or address of the setting mirror"
    )
