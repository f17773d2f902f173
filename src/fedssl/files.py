"""Write files atomically, read JSON, and compute checksums.

A job can be killed at any time, so every result file is written to a temporary file and renamed
into place. A reader then sees either the complete file or no file. A process that has lost a lease
writes no file any more.
"""

import contextlib
import hashlib
import json
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from fedssl.errors import DamagedFile, UserError, describe
from fedssl.publishing import check_publishing


@contextlib.contextmanager
def atomic_write(path: str | Path) -> Iterator[Path]:
    """Yield a temporary path next to `path`, and rename it to `path` if the block succeeds.

    The temporary file is removed if the block raises. Missing parent folders are created. Raises
    UserError if `path` is a folder, if what this process has read is damaged, or if it has lost a
    lease.
    """
    path = Path(path)
    if path.is_dir():
        raise UserError(f"{path} is a folder, but a file belongs there; remove it and run again.")
    path.parent.mkdir(parents=True, exist_ok=True)
    # The temporary file is in the same folder because a rename is atomic only within one file
    # system. Readers of folders skip names that start with a dot.
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part")
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        # mkstemp creates files that only their owner can read. Restore the usual permissions, so
        # that colleagues who share the results folder can read them.
        temporary.chmod(0o666 & ~_umask())
        # Sync the data before the rename: after a power failure the new name must not point to
        # an empty file. Syncing the folder makes the rename itself durable.
        _fsync(temporary)
        check_publishing()
        temporary.replace(path)
        _fsync(path.parent)
    finally:
        temporary.unlink(missing_ok=True)


def remove_temporary_files(folder: str | Path, *, of: str = "*") -> list[Path]:
    """Remove what a killed `atomic_write` left in a folder and below; return the removed files.

    `of` is the name of a file in the folder, to remove only its temporary files.
    """
    named = Path(folder).glob(f".{of}.*.part" if of != "*" else "**/.*.part")
    found = [path for path in named if path.is_file() or path.is_symlink()]
    for path in found:
        path.unlink(missing_ok=True)
    return found


def write_text(path: str | Path, text: str) -> None:
    """Write `text` as UTF-8, atomically."""
    with atomic_write(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: str | Path, data: Any) -> None:
    """Write `data` atomically as indented JSON with sorted keys; raise ValueError for NaN."""
    # NaN is not valid JSON, and a missing number must never look like a measured one.
    write_text(path, json.dumps(data, indent=1, sort_keys=True, allow_nan=False) + "\n")


@contextlib.contextmanager
def reading(path: str | Path) -> Iterator[None]:
    """Let errors of the library that reads a file in the block name the file.

    Raises:
        DamagedFile: The library cannot read the file. Errors of the operating system, such as of a
            missing file, and errors of this project are raised as they are.
    """
    try:
        yield
    # Not every library gives these two their error number.
    except (UserError, MemoryError, FileNotFoundError, PermissionError):
        raise
    except Exception as error:  # damaged bytes can make a library raise anything
        if isinstance(error, OSError) and error.errno is not None:
            raise
        raise DamagedFile(
            f"{path} is damaged: it cannot be read as {Path(path).suffix[1:] or 'a file'} "
            f"({describe(error)}); `fedssl repair` finds all such files and says how to make them "
            "again."
        ) from error


def read_json(path: str | Path) -> Any:
    """Read a JSON file; raise DamagedFile if it is not JSON."""
    with reading(path):
        return json.loads(Path(path).read_text(encoding="utf-8"))


def digest(data: Any) -> str:
    """Return the SHA-256 of `data` as canonical JSON."""
    # Sorted keys and fixed separators give one text, and so one digest, for equal data.
    canonical = json.dumps(data, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return bytes_digest(canonical.encode())


def bytes_digest(content: bytes) -> str:
    """Return the SHA-256 of bytes."""
    return hashlib.sha256(content).hexdigest()


def sha256(path: str | Path) -> str:
    """Return the SHA-256 of a file's bytes."""
    return checksum(path, algorithm="sha256")


def checksum(path: str | Path, *, algorithm: str) -> str:
    """Return the hex digest of a file's bytes; `algorithm` is md5 or sha256."""
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, algorithm).hexdigest()


def _umask() -> int:
    # There is no call that only reads the umask: set it, then restore it.
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _fsync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
