"""Find the sound files of datasets that users must obtain by hand (VGGSound, EPIC-SOUNDS).

Users have these files in different forms. The configured path can be a folder, a tar, tar.gz or zip
archive, or a text file that lists several of these, one per line. Archives are read in place.
Folders are searched at every depth, but links to folders are not followed.
"""

import functools
import os
from collections.abc import Callable, Iterator
from pathlib import Path

from fedssl.data.file_names import existing_path, is_leftover
from fedssl.data.readers.archive_members import open_zip, read_file, read_zip_member, tar_members
from fedssl.errors import UserError
from fedssl.files import digest

SOUNDS = frozenset(
    {
        *(".wav", ".rf64", ".w64", ".flac", ".ogg", ".oga", ".opus", ".mp3"),
        *(".aiff", ".aif", ".aifc", ".au", ".snd", ".caf"),
    }
)
VIDEOS = frozenset({".mp4", ".mkv", ".webm", ".m4a"})

# Compare these with the end of the name: Path.suffix of "a.tar.gz" is only ".gz".
_TARS = (".tar", ".tar.gz", ".tgz")


def manual_files(path: Path) -> Iterator[Path]:
    """Yield every file that `path` stands for, in an order that depends only on the names.

    Raises:
        UserError: a listed file or folder does not exist or cannot be read.
    """
    for place in _listed_paths(path):
        if place.is_dir():
            yield from _files_below(place)
        elif place.is_file():
            yield place
        else:
            raise UserError(
                f"{place}, which {path} names, is neither a file nor a folder; correct the path"
            )


def files_fingerprint(path: Path) -> str:
    """Return a digest of the path, size and modification time of every file.

    A file that is changed in place and keeps its size and time is not noticed.
    """
    # Files are not read: these datasets have hundreds of gigabytes, and the digest is needed at
    # the start of every run.
    found = ((str(file), file.stat()) for file in manual_files(path) if file.exists())
    return digest([[name, state.st_size, state.st_mtime_ns] for name, state in found])


def _files_below(place: Path) -> Iterator[Path]:
    # Hidden files are partial downloads, or what file managers leave behind.
    # Sorting makes the order independent of the file system. Without `onerror`, os.walk would
    # silently skip an unreadable folder and clips would be missing.
    for folder, below, names in os.walk(place, onerror=_raise_unreadable):
        below[:] = sorted(name for name in below if not is_leftover(name))
        files = (Path(folder, name) for name in sorted(names) if not is_leftover(name))
        # Skip pipes and devices, which could block for ever. Keep broken links: they are reported
        # later as files that cannot be read.
        yield from (file for file in files if file.is_file() or not file.exists())


def manual_members(path: Path) -> Iterator[tuple[str, Callable[[], bytes]]]:
    """Yield (name, read) of every file and archive member; names can include folders.

    Call `read` before asking for the next pair, because tar archives are read as a stream.

    Raises:
        UserError: an archive is damaged.
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


def _raise_unreadable(error: OSError) -> None:
    raise UserError(f"{error.filename} cannot be read ({error.strerror})") from error


def _listed_paths(path: Path) -> list[Path]:
    """Return the paths that a text file lists, or `[path]` if it is not a text file.

    Relative paths start at the folder of the text file.
    """
    if path.suffix != ".txt" or not path.is_file():
        return [path]
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise UserError(f"{path} is not UTF-8 text ({error}); list one path per line") from error
    named = [line.strip() for line in lines if line.strip() and not line.startswith("#")]
    if not named:
        raise UserError(f"{path} names no file or folder; list one path per line")
    places = (str(path.parent / Path(name).expanduser()) for name in named)
    return [Path(existing_path(place)) for place in places]
