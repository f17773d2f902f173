"""Archives from a mirror or from their official address: verified, whole, or not there at all."""

import contextlib
import fcntl
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

from fedssl.data.fetch.pins import pin, with_pin
from fedssl.data.fetch.verify import (
    check_archive,
    describe_expected,
    explain_disk_errors,
    find_problem,
)
from fedssl.errors import UserError
from fedssl.files import atomic_write

_LOG = logging.getLogger(__name__)

_CHUNK_BYTES = 1 << 16
# Seconds to connect, and between two chunks: the official hosts of some archives are slow.
_TIMEOUT_S = (30, 300)


class _SourceError(Exception):
    """One source did not give the archive; the message says why."""


def declared_archive(config: Mapping[str, Any], dataset: str, *, file: str) -> dict[str, Any]:
    """Return what the configuration says of an archive, as `acquire` takes it."""
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
    """Put a verified archive at `destination`, from the mirror or else from its addresses.

    Nothing is done where the verified file is already there. Several processes may ask for the
    same file at once: one fetches it, the others wait and find it. An archive without a checksum
    is pinned on first use, and from then on it has one.

    Args:
        archive: `file` (name), `urls`, `size` in bytes or None, `checksum` "md5:..." or
            "sha256:..." or None.
        destination: path of the file to write.
        dataset: its name, and the mirror folder the file lies in.
        mirror: folder or http(s)/file address that holds `<dataset>/<file>`, or None.
        pins: file of the pinned checksums.
        access: how to get a restricted archive by hand, or None.

    Raises:
        UserError: no source gave the declared file; says what each one gave and what to do. Or
            the disk does not take it.
    """
    with explain_disk_errors(pins):
        pinned = with_pin(archive, pins, dataset=dataset)
    with explain_disk_errors(destination):
        if not _is_present(pinned, destination, dataset=dataset):
            _obtain(pinned, destination, dataset=dataset, mirror=mirror, access=access)
    with explain_disk_errors(pins):
        pin(pinned, pins, dataset=dataset, path=destination)


def _obtain(
    archive: Mapping[str, Any],
    destination: Path,
    *,
    dataset: str,
    mirror: str | None,
    access: str | None,
) -> None:
    with _locked(destination):
        if _is_present(archive, destination, dataset=dataset):
            return
        tried = []
        for source in _sources(archive, dataset=dataset, mirror=mirror):
            if not (failure := _fetch(source, archive, destination)):
                return
            tried.append(f"{source}: {failure}")
            _LOG.warning("%s is not to be had from %s: %s", archive["file"], source, failure)
    raise UserError(_advice(archive, destination, dataset=dataset, access=access, tried=tried))


@contextlib.contextmanager
def _locked(destination: Path) -> Iterator[None]:
    """Hold the archive's lock, which dies with the process, and clear what a killed one left."""
    destination.parent.mkdir(parents=True, exist_ok=True)
    with (destination.parent / f".{destination.name}.lock").open("w") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            _LOG.warning("waiting for another process that is fetching %s", destination)
            fcntl.flock(handle, fcntl.LOCK_EX)
        for leftover in destination.parent.glob(f".{destination.name}.*.part"):
            leftover.unlink()
        yield


def _sources(archive: Mapping[str, Any], *, dataset: str, mirror: str | None) -> list[str]:
    """Return where the archive may be, in order: the mirror, then the official addresses."""
    urls = [str(url) for url in archive["urls"]]
    if mirror is None:
        return urls
    if urlsplit(mirror).scheme in ("http", "https", "file"):
        return [f"{mirror.rstrip('/')}/{quote(dataset)}/{quote(archive['file'])}", *urls]
    return [str(Path(mirror).expanduser() / dataset / archive["file"]), *urls]


def _fetch(source: str, archive: Mapping[str, Any], destination: Path) -> str:
    """Put what `source` gives at `destination` if it is right, else return what is wrong."""
    try:
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
        raise _SourceError(f"it cannot be read ({error.strerror})") from error


def _download(url: str, temporary: Path) -> None:
    # Some servers label a .gz as encoded content, which requests would then unpack.
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
    except (requests.RequestException, ValueError) as error:  # ValueError: of Content-Length
        raise _SourceError(f"the transfer failed ({error})") from error


def _is_present(archive: Mapping[str, Any], destination: Path, *, dataset: str) -> bool:
    # No lock is needed to look, so a finished data folder may be read-only.
    if not destination.exists():
        return False
    check_archive(archive, destination, dataset=dataset)
    return True


def _advice(
    archive: Mapping[str, Any],
    destination: Path,
    *,
    dataset: str,
    access: str | None,
    tried: list[str],
) -> str:
    looked = "\n".join(f"  tried {failure}" for failure in tried) or "  no source is known"
    pinned = archive.get("pinned_in")
    doubt = f"  if a wrong file was pinned, remove its line from {pinned}\n" if pinned else ""
    by_hand = access or f"get it by hand from {' or '.join(archive['urls']) or 'its owner'}"
    return (
        f"{dataset}: cannot obtain {archive['file']}, expected {describe_expected(archive)}\n"
        f"{looked}\n{doubt}  {by_hand}\n"
        f"  and put it at {destination}, or at <mirror>/{dataset}/{archive['file']} where <mirror> "
        "is the folder or address set as mirror in the configuration"
    )
