"""Whether an archive is the one that is declared: by size and checksum, or else by its form.

What is fetched is held against its declaration when it arrives, and every archive when it is read
into a bank: it may have been put there by hand, or replaced since.
"""

import contextlib
import gzip
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from fedssl.data.fetch.pins import pin, with_pin
from fedssl.errors import UserError
from fedssl.files import checksum

_CHUNK_BYTES = 1 << 20
_BOM = b"\xef\xbb\xbf"


def verify_archives(config: Mapping[str, Any], dataset: str, *, paths: Mapping[str, str]) -> None:
    """Return if a dataset's archives are what the configuration declares; pin the unpinned ones.

    Nothing is declared of the user's own files, and of archives that the workflow makes up.

    Args:
        config: the configuration, with `datasets` and `pins`.
        dataset: its name.
        paths: archive key -> path.

    Raises:
        UserError: an archive is another one, or damaged; says which and what to do.
    """
    datasets = config["datasets"]
    for key, entry in datasets[dataset].get("archives", {}).items():
        owner = entry.get("from", dataset)
        if not datasets[owner].get("synthetic"):
            archive, path = datasets[owner]["archives"][key], Path(paths[key])
            verify_archive(archive, path, dataset=owner, pins=Path(config["pins"]))


def verify_archive(archive: Mapping[str, Any], path: Path, *, dataset: str, pins: Path) -> None:
    """Return if `path` is the declared archive, and pin it if it can be pinned and is not yet.

    Raises:
        UserError: it is another one or damaged, or the disk does not give it.
    """
    with explain_disk_errors(pins):
        pinned = with_pin(archive, pins, dataset=dataset)
    with explain_disk_errors(path):
        check_archive(pinned, path, dataset=dataset)
    with explain_disk_errors(pins):
        pin(pinned, pins, dataset=dataset, path=path)


def check_archive(archive: Mapping[str, Any], path: Path, *, dataset: str) -> None:
    """Raise UserError if the file at `path`, which is left there, is not the declared archive."""
    if not (wrong := find_problem(archive, path)):
        return
    remedy = "correct size and checksum in the datasets file"
    if "pinned_in" in archive:
        remedy = f"remove its line from {archive['pinned_in']} to accept it"
    raise UserError(
        f"{path} is not the archive that {dataset} declares: {wrong}; delete it, or {remedy}"
    )


def find_problem(archive: Mapping[str, Any], path: Path) -> str:
    """Return what is wrong with the file at `path`, or an empty string."""
    if message := _error_page(path):
        return f"it is {message}, not the archive"
    found_size = path.stat().st_size
    if not found_size or archive["size"] not in (None, found_size):
        return f"it has {found_size} bytes, expected {describe_expected(archive)}"
    if archive["checksum"] is None:
        return _format_problem(path, archive["file"])
    algorithm, _, wanted = archive["checksum"].partition(":")
    found = checksum(path, algorithm=algorithm)
    origin = f", pinned in {archive['pinned_in']}" if "pinned_in" in archive else ""
    return "" if found == wanted else f"its {algorithm} is {found}, expected {wanted}{origin}"


def describe_expected(archive: Mapping[str, Any]) -> str:
    """Return size and checksum of an archive in words."""
    size = f"{archive['size']} bytes" if archive["size"] else "an archive of unknown size"
    return f"{size} ({archive['checksum'] or 'no checksum is known'})"


@contextlib.contextmanager
def explain_disk_errors(path: Path) -> Iterator[None]:
    """Say what the disk refused of `path`, or of the file beside it that the error names."""
    try:
        yield
    except OSError as error:
        place = error.filename2 or error.filename or path
        cause = error.strerror or error
        raise UserError(f"{place} cannot be used ({cause}): mend that and run again") from error


def _error_page(path: Path) -> str:
    """Return what a file is that a server or a proxy sends in place of what was asked for."""
    with path.open("rb") as file:
        start = file.read(1024).removeprefix(_BOM).lstrip()
    kinds = {b"<": "a web page (HTML)", b"{": "a message in JSON"}
    return kinds.get(start[:1], "")


def _format_problem(path: Path, name: str) -> str:
    """Return what is wrong with the form of a file whose checksum nobody knows."""
    if name.endswith(".zip"):
        return "" if zipfile.is_zipfile(path) else "it is not a whole zip archive"
    if not name.endswith((".gz", ".tgz")):
        return ""
    try:
        with gzip.open(path) as file:
            while file.read(_CHUNK_BYTES):
                pass
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        return f"it is not a whole gzip file ({error})"
    return ""
