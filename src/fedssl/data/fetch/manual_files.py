"""Sound files that the user supplies, in whatever form they have them; nothing is unpacked.

The path of such an archive is a folder (searched at every depth, links to folders not followed),
a tar, tar.gz or zip, or a text file that names several of these, one a line.
"""

import functools
import os
from collections.abc import Callable, Iterator
from pathlib import Path

from fedssl.data.readers.archive_members import open_zip, read_file, read_zip_member, tar_members
from fedssl.errors import UserError
from fedssl.files import digest

SOUNDS = frozenset({".wav", ".flac", ".ogg", ".opus", ".mp3"})
VIDEOS = frozenset({".mp4", ".mkv", ".webm", ".m4a"})

_TARS = (".tar", ".tar.gz", ".tgz")


def manual_files(path: Path) -> Iterator[Path]:
    """Yield every file that `path` stands for, in an order that the names alone decide.

    Hidden files and folders are passed over: unfinished downloads, leavings of file managers.
    """
    for place in _places(path):
        if place.is_dir():
            yield from _below(place)
        elif place.is_file():
            yield place
        else:
            raise UserError(f"{place}, which {path} names, is neither a file nor a folder")


def files_fingerprint(path: Path) -> str:
    """Return a digest of the place, size and age of every file that `path` stands for.

    Nothing is read, so a file changed in place that keeps its size and its time is not noticed.
    """
    found = ((str(file), file.stat()) for file in manual_files(path) if file.exists())
    return digest([[name, state.st_size, state.st_mtime_ns] for name, state in found])


def _below(place: Path) -> Iterator[Path]:
    for folder, below, names in os.walk(place, onerror=_refuse):
        below[:] = sorted(name for name in below if not name.startswith("."))
        files = (Path(folder, name) for name in sorted(names) if not name.startswith("."))
        # A pipe or a device could be read for ever; a broken link is a file that cannot be read.
        yield from (file for file in files if file.is_file() or not file.exists())


def manual_members(path: Path) -> Iterator[tuple[str, Callable[[], bytes]]]:
    """Yield (name, read) of every supplied file and archive member; names may have folders.

    Call `read` before asking for the next one. Damaged archives raise UserError.
    """
    for file in manual_files(path):
        if file.name.lower().endswith(_TARS):
            yield from tar_members(file)
        elif file.suffix.lower() == ".zip":
            with open_zip(file) as archive:
                for name in sorted(archive.namelist()):
                    yield name, functools.partial(read_zip_member, archive, name)
        else:
            yield file.name, functools.partial(read_file, file)


def _refuse(error: OSError) -> None:
    raise UserError(f"{error.filename} cannot be read ({error.strerror})") from error


def _places(path: Path) -> list[Path]:
    """Return the places a text file names, relative to its folder, or else the path itself."""
    if path.suffix != ".txt" or not path.is_file():
        return [path]
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise UserError(f"{path} is not UTF-8 text ({error}); list one path a line") from error
    named = [line.strip() for line in lines if line.strip() and not line.startswith("#")]
    if not named:
        raise UserError(f"{path} names no file or folder; list one path a line")
    return [path.parent / Path(name).expanduser() for name in named]
