"""Damaged files: those that are missing, or differ from what the record of their job says.

`fedssl cells` compares sizes, which is quick, and `fedssl repair` compares hashes.
"""

import os
import stat
from collections.abc import Collection, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from fedssl.files import bytes_digest, sha256
from fedssl.grid.paths import RECORD
from fedssl.record.read import Record, find_records, is_readable, read_record, shown

_EMPTY = bytes_digest(b"")
_THREADS = 8  # hashing waits for the disk and releases Python's lock
# Folders and files without a record, because no job writes them or because every job does.
_FOLDERS, _FILES = ("logs", "benchmarks", "state"), ("cells.csv", "audit.json", ".lease")
_FILE_FOR_FOLDER = "is a file, but a folder belongs there; move it away first"
_ARCHIVES = "archives"
_MISSING = "is missing"
UNLISTED = "is not listed in any record"
# Rules that fetch what the workflow cannot make.
_FETCHING = ("acquire", "download")


@dataclass(frozen=True)
class Damage:
    """A damaged file: its path, and a sentence that starts with the file.

    Attributes:
        path: the file.
        what: what is wrong with it.
        unusable: whether a job can neither use nor replace it: a record that cannot be read, or a
            broken link in place of a file that a job writes.
        fetched: whether it came from outside, so that no job can make it.
    """

    path: Path
    what: str
    unusable: bool = False
    fetched: bool = False


@dataclass(frozen=True)
class _Expected:
    """A file as a record has it; `size` is None in records of earlier versions."""

    path: Path
    digest: str
    size: int | None = None
    fetched: bool = False


def job_damage(path: Path, root: Path, *, hashes: bool) -> list[Damage]:
    """Return the damaged files among a job's record and outputs; none if there is no record."""
    if not os.path.lexists(path):
        return []
    if wrong := _unusable(path):
        return [Damage(path, wrong, unusable=True)]
    record = read_record(path, root)
    found = [_damage(file, root, hashes=hashes) for file in _outputs(record)]
    return [*_of_record(record), *filter(None, found)]


def find_damage(root: Path, *, hashes: bool) -> list[Damage]:
    """Return all damaged files of a results folder, by path; without `hashes`, compare sizes only.

    A record is damaged, too, if an input of its job is now another file than the one it names.
    """
    records = [read_record(path, root) for path in find_records(root)]
    intact = [record for record in records if record.intact and record.prefix is not None]
    written = {file.path: file for record in intact for file in _outputs(record)}
    listed = {path for record in records for path in record.files("outputs")}
    files = [*written.values(), *_inputs_of_no_job(intact, listed, root)]
    # Reading and hashing files releases Python's lock, so threads are enough.
    with ThreadPoolExecutor(_THREADS) as pool:
        wrong = pool.map(lambda file: _damage(file, root, hashes=hashes), files)
        found = [*filter(None, wrong)]
    found += [damage for record in records for damage in _of_record(record)]
    found += _outdated(intact, written, {record.path: record for record in records})
    found += [Damage(path, _dangling(path) or UNLISTED) for path in unlisted(root, listed)]
    found += _of_no_record(root)
    # Behind such a file or link, every file is missing.
    if hiding := sorted(set(filter(None, (_in_place_of_folder(d.path, root) for d in found)))):
        return [Damage(path, _dangling(path) or _FILE_FOR_FOLDER) for path in hiding]
    # Of several faults of a file, the first says most.
    by_path = {damage.path: damage for damage in reversed(found)}
    return [by_path[path] for path in sorted(by_path)]


def unlisted(root: Path, listed: Collection[Path]) -> Iterator[Path]:
    """Yield the files of a results folder that no record lists, given those that records list."""
    for path in sorted(root.rglob("*")):
        place = path.relative_to(root)
        hidden = any(part.startswith(".") for part in place.parts)
        known = path.name.endswith(RECORD) or any(p in listed for p in (path, *path.parents))
        passed = known or hidden or place.parts[0] in (*_FOLDERS, *_FILES)
        if not passed and (_dangling(path) or (is_readable(path) and path.is_file())):
            yield path


def _of_no_record(root: Path) -> Iterator[Damage]:
    """Yield what stands in place of a folder or file that no record names."""
    for path in (root / name for name in _FOLDERS):
        if os.path.lexists(path) and not os.path.isdir(path):
            yield Damage(path, _dangling(path) or _FILE_FOR_FOLDER)
    for path in (root / name for name in _FILES):
        if os.path.lexists(path) and (wrong := _unusable(path)) not in ("", _MISSING):
            yield Damage(path, wrong, unusable=bool(_dangling(path)))


def _dangling(path: Path) -> str:
    """Return the target of a broken link, in words; "" if the path is not a broken link."""
    if os.path.islink(path) and not os.path.exists(path):
        return f"is a link to {os.readlink(path)}, which cannot be read"
    return ""


def _in_place_of_folder(path: Path, root: Path) -> Path | None:
    """Return what is in place of a folder above a file; None if nothing is."""
    folders = (folder for folder in path.parents if folder.is_relative_to(root))
    return next((f for f in folders if os.path.lexists(f) and not os.path.isdir(f)), None)


def _damage(file: _Expected, root: Path, *, hashes: bool) -> Damage | None:
    wrong = _unusable(file.path)
    # Licences often forbid to share archives, and nothing reads them once there is a bank.
    if wrong and shown(file.path, root).startswith(f"{_ARCHIVES}/") and not file.path.exists():
        return None
    if not wrong:
        size = file.path.stat().st_size
        if not size and file.digest != _EMPTY:
            wrong = "is empty"
        elif file.size is not None and size != file.size:
            wrong = f"has {size} bytes, but its job wrote {file.size}"
        elif hashes and sha256(file.path) != file.digest:
            wrong = "has other content than its job wrote"
    if not wrong:
        return None
    return Damage(file.path, wrong, unusable=bool(_dangling(file.path)), fetched=file.fetched)


def _unusable(path: Path) -> str:
    """Return why a path is not a file that can be read; "" if it is one."""
    try:
        mode = path.stat().st_mode
    except OSError as error:
        if dangling := _dangling(path):
            return dangling
        gone = isinstance(error, FileNotFoundError | NotADirectoryError)
        return _MISSING if gone else f"cannot be read ({error.strerror})"
    if stat.S_ISDIR(mode):
        full = not path.is_symlink() and any(path.iterdir())
        return "is a folder, but a file belongs there" + full * "; move it away first"
    return "" if stat.S_ISREG(mode) and os.access(path, os.R_OK) else "is not a readable file"


def _of_record(record: Record) -> Iterator[Damage]:
    if not record.text:
        yield Damage(record.path, "is empty", unusable=True)
    elif not record.intact:
        yield Damage(record.path, "does not match its own digest", unusable=True)
    elif record.prefix is None:
        what = "belongs to a job that wrote to another folder"
        yield Damage(record.path, what, unusable=True)


def _outputs(record: Record) -> Iterator[_Expected]:
    # A record that was changed says nothing about its files, and its job has to run again anyway.
    if record.intact and record.prefix is not None:
        sizes, fetched = record.content.get("sizes", {}), record.rule in _FETCHING
        for name, digest in record.content["outputs"].items():
            yield _Expected(record.locate(name), digest, sizes.get(name), fetched)


def _inputs_of_no_job(
    records: Sequence[Record], listed: Collection[Path], root: Path
) -> Iterator[_Expected]:
    """Yield the inputs below the results folder whose record is gone."""
    for record in records:
        for path, digest in record.files("inputs").items():
            if path.is_relative_to(root) and path not in listed and not path.name.endswith(RECORD):
                yield _Expected(path, digest)


def _outdated(
    records: Sequence[Record], written: dict[Path, _Expected], by_path: dict[Path, Record]
) -> Iterator[Damage]:
    """Yield the records of jobs that read another version of a file, and records that are gone."""
    for record in records:
        for path, digest in record.files("inputs").items():
            if path.name.endswith(RECORD) and path.is_relative_to(record.root):
                if path not in by_path:
                    yield Damage(path, _unusable(path) or "is not a record")
                    continue
                now = sha256(path) if by_path[path].intact else digest
            else:
                now = written[path].digest if path in written else digest
            if now != digest:
                what = f"is of a job that read an earlier version of {shown(path, record.root)}"
                yield Damage(record.path, what)
