"""What killed jobs left in a results folder: temporary files, leases, empty folders, progress.

Nothing is listed that a job may still use: the state folder of a running job, and anything that
changed a few minutes ago.
"""

import os
import shutil
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from fedssl.errors import UserError
from fedssl.lease import SILENT_S, lease_of
from fedssl.lease_file import read_sign

_STATE, _ATTEMPT, _LEASE = "state", ".attempt", ".lease"
# Folders that every run has, with or without files.
_STANDING = (_STATE, "logs", "benchmarks")
# Longer than a job pauses while it writes one file.
_SETTLED_S = 600.0
# An edit that is undone within this time finds its progress again.
_FOREIGN_S = 7 * 24 * 3600.0


@dataclass(frozen=True)
class Leftover:
    """A file or folder that may be removed, and a sentence that starts with it."""

    path: Path
    what: str


def find_leftovers(root: Path) -> list[Leftover]:
    """Return the temporary files, the leases of dead processes and the empty folders."""
    found = [Leftover(path, "is the rest of a write that was killed") for path in _parts(root)]
    what = "is the lease of a process that has ended"
    found += [Leftover(path, what) for path in _leases(root) if _settled(path) and not owner(path)]
    found += [Leftover(path, "is an empty folder") for path in _empty_folders(root)]
    return sorted(found, key=lambda leftover: leftover.path)


def find_stale_progress(root: Path, finished: Mapping[str, bool]) -> list[Leftover]:
    """Return the progress that no job will continue.

    `finished` has the state folder of each declared job, by its path below the results folder, and
    whether the jobs that use it have finished.
    """
    found = []
    for path in progress(root):
        state = Path(str(path).removesuffix(_ATTEMPT))
        known = finished.get(state.relative_to(root).as_posix())
        if owner(lease_of(state)) or not _settled(path):
            continue
        if known:
            found.append(Leftover(path, "is the progress of a job that has finished"))
        elif known is None and _unchanged(path, _FOREIGN_S):
            what = "is progress under settings or code that no job has any more, for over a week"
            found.append(Leftover(path, what))
    return found


def progress(root: Path) -> list[Path]:
    """Return the state folders with progress, and the files that count attempts, sorted."""
    # `state/bank` has one folder more: that of the dataset.
    places = [*(root / _STATE).glob("*/*"), *(root / _STATE / "bank").glob("*/*")]
    held = [p for p in places if p.parent.parent.name == "bank" or p.parent.name != "bank"]
    seen = (path for path in held if not path.name.startswith("."))
    return sorted(path for path in seen if path.is_file() or any(path.iterdir()))


def running(root: Path) -> list[str]:
    """Return the processes that write to a results folder: runs and jobs, in words."""
    return sorted({found for path in _leases(root) if (found := owner(path))})


def owner(lease: Path) -> str:
    """Return the process that holds a lease, in words; "" if nobody does who may still live."""
    try:
        found = read_sign(lease)
    except (OSError, UserError):  # it cannot be read, so it may be anybody's
        return "an unknown process"
    if found is None:
        return ""
    lives = found.owner.lives()
    if lives is None:  # on another host: only its silence tells
        lives = time.time() - found.mtime_ns / 1e9 < 2 * SILENT_S
    return str(found.owner) if lives else ""


def remove(leftover: Leftover) -> None:
    """Remove a leftover; one that has vanished meanwhile is no error."""
    if leftover.path.is_dir() and not leftover.path.is_symlink():
        shutil.rmtree(leftover.path, ignore_errors=True)
    else:
        leftover.path.unlink(missing_ok=True)


def _parts(root: Path) -> Iterator[Path]:
    return (path for path in root.rglob(".*.part") if path.is_file() and _settled(path))


def _leases(root: Path) -> Iterator[Path]:
    return (path for path in root.rglob(f"*{_LEASE}") if path.is_file())


def _empty_folders(root: Path) -> Iterator[Path]:
    """Yield the folders without files, and not those inside them."""
    empty: set[Path] = set()
    for name, folders, files in os.walk(root, topdown=False):
        path = Path(name)
        inside = {path / folder for folder in folders}
        if not files and inside <= empty and _settled(path):
            empty.add(path)
    for path in sorted(empty - {root}):
        parts = path.relative_to(root).parts
        standing = parts[0] in _STANDING or any(part.startswith(".") for part in parts)
        if not standing and (path.parent == root or path.parent not in empty):
            yield path


def _settled(path: Path) -> bool:
    return _unchanged(path, _SETTLED_S)


def _unchanged(path: Path, seconds: float) -> bool:
    """Return whether nothing at or below a path has changed for some time."""
    try:
        inside = path.rglob("*") if path.is_dir() else ()
        newest: float = max(p.lstat().st_mtime for p in (path, *inside))
    except FileNotFoundError:
        return False
    return time.time() - newest > seconds
