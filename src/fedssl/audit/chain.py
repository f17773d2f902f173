"""The chain of hashes: from each file to the job that wrote it, and to the inputs of that job."""

from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from pathlib import Path

from fedssl.audit.findings import Finding, Note, Verdict
from fedssl.files import digest, sha256
from fedssl.grid.paths import archive_record
from fedssl.record.read import CHECKOUT, Record, is_ours, is_readable, read_record, shown
from fedssl.record.sources import code_digest

_THREADS = 8  # hashing waits for the disk and releases Python's lock
ABSENT = "is not available, so only its recorded hash was checked"
_SHORT = 12  # digits of a hash in messages


class Chain:
    """All records of a results folder, with the current SHA-256 of every file that they list."""

    def __init__(self, root: Path, records: Iterable[Record]) -> None:
        """Add the records of archives outside the folder, and hash every file once."""
        own = list(records)
        self.root = root
        self.records = [*own, *_outside(own, root)]
        self._records = {record.path: record for record in own}
        self._writers: dict[Path, list[Record]] = {}
        for record in self.records:
            for path in record.files("outputs"):
                self._writers.setdefault(path, []).append(record)
        self._hashes = _hashes(self.records)

    def writers(self, record: Record) -> list[Record]:
        """Return the records of the jobs that wrote a job's inputs, and the records it read."""
        inputs = list(record.files("inputs"))
        found = {w.path: w for path in inputs for w in self._writers.get(path, [])}
        read = {path: self._records[path] for path in inputs if path in self._records}
        return list((found | read).values())

    def upstream(self, record: Record) -> list[Record]:
        """Return the records that a job depends on, directly or indirectly."""
        found: dict[Path, Record] = {}
        waiting = self.writers(record)
        while waiting:
            new = waiting.pop()
            if new.path not in found:
                found[new.path] = new
                waiting += self.writers(new)
        return list(found.values())

    def findings(self, record: Record) -> Iterator[Finding | Note]:
        """Yield the findings on a record, its outputs, its inputs and its code."""
        if not record.intact:
            yield Finding(Verdict.TAMPERED, record.name, "does not match its own digest")
        if record.content and record.prefix is None:
            what = "belongs to a job that wrote to another folder"
            yield Finding(Verdict.TAMPERED, record.name, what)
        yield from self._output_findings(record)
        for path, recorded in record.files("inputs").items():
            yield from self._input_findings(path, recorded)
        yield from _declared_findings(record)
        yield from self._source_findings(record)

    def same(self, path: Path, recorded: str) -> bool:
        """Return whether a file exists and has the recorded SHA-256."""
        return self._hashes.get(path) == recorded

    def as_written(self, path: Path) -> bool:
        """Return whether a file exists and is unchanged since its job wrote it."""
        writers = self._writers.get(path, [])
        return any(self.same(path, writer.files("outputs")[path]) for writer in writers)

    @cached_property
    def recorded(self) -> set[Path]:
        """All files that a record lists as an output."""
        return set(self._writers)

    def _output_findings(self, record: Record) -> Iterator[Finding | Note]:
        for path, recorded in record.files("outputs").items():
            name = shown(path, self.root)
            if len(self._writers[path]) > 1:
                yield Finding(Verdict.TAMPERED, name, "is an output in two records")
            if path not in self._hashes:
                yield self._absent(path)
            elif not self.same(path, recorded):
                yield Finding(Verdict.TAMPERED, name, f"is not the file that {record.rule} wrote")

    def _absent(self, path: Path) -> Finding | Note:
        name = shown(path, self.root)
        if _rarely_shared(path, self.root):
            return Note(name, ABSENT)
        return Finding(Verdict.INCOMPLETE, name, "is missing")

    def _input_findings(self, path: Path, recorded: str) -> Iterator[Finding | Note]:
        name, writers = shown(path, self.root), self._writers.get(path, [])
        if writers:
            written = writers[0].files("outputs")[path]
            if written != recorded:
                yield Finding(
                    Verdict.CHANGED_DATA,
                    name,
                    f"had the hash {recorded[:_SHORT]}… when it was read, but the record of its "
                    f"job says {written[:_SHORT]}…: it was replaced or written again since",
                )
        elif path not in self._hashes and _rarely_shared(path, self.root):
            yield Note(name, ABSENT)
        elif path.is_relative_to(self.root) and path not in self._records:
            yield Finding(Verdict.INCOMPLETE, name, "was read, but is an output in no record")
        elif not self.same(path, recorded):
            verdict = Verdict.CHANGED_CODE if is_ours(path) else Verdict.CHANGED_DATA
            yield Finding(verdict, name, "has changed since it was read")

    def _source_findings(self, record: Record) -> Iterator[Finding | Note]:
        digests = record.content.get("code", {})
        for name, recorded in record.content.get("sources", {}).items():
            path = CHECKOUT / name
            if self.same(path, recorded):
                continue
            if path not in self._hashes:
                yield Finding(Verdict.CHANGED_CODE, name, "was run, but is not in this checkout")
            elif digests.get(name) == _code(path):
                yield Note(name, "differs from the code that ran only in comments or layout")
            else:
                yield Finding(Verdict.CHANGED_CODE, name, "has been edited since it ran")


def _rarely_shared(path: Path, root: Path) -> bool:
    """Return whether a file has recordings or images, which licences often forbid to share."""
    # Below the results, only the folder of the demo's archives counts: a results folder can itself
    # be below a folder called `archives`.
    folders = path.relative_to(root).parts[:1] if path.is_relative_to(root) else path.parts
    return "archives" in folders or path.name in ("images.npy", "waveforms.npy")


def _declared_findings(record: Record) -> Iterator[Finding]:
    """Yield the archives in the settings of a bank's job that are not among its inputs."""
    read = {f"sha256:{value}" for value in record.files("inputs").values()}
    declared = record.settings.get("archives")
    for key, checksum in declared.items() if isinstance(declared, dict) else ():
        if str(checksum).startswith("sha256:") and checksum not in read:
            what = f"declares archive {key} with {checksum}, which none of its inputs has"
            yield Finding(Verdict.CHANGED_DATA, record.name, what)


def _outside(records: Iterable[Record], root: Path) -> Iterator[Record]:
    """Yield the records of archives outside the results folder; they are next to the archives."""
    inputs = {path for record in records for path in record.files("inputs")}
    for path in sorted(inputs):
        record = Path(archive_record(path))
        if not path.is_relative_to(root) and is_readable(record):
            yield read_record(record, record.parent, outside=True)


def _hashes(records: Iterable[Record]) -> Mapping[Path, str]:
    """Return the SHA-256 of every existing file that the records list."""
    named = {CHECKOUT / name for record in records for name in record.content.get("sources", {})}
    for record in records:
        named |= {*record.files("inputs"), *record.files("outputs")}
    with ThreadPoolExecutor(_THREADS) as pool:
        hashed = zip(named, pool.map(_hash, named), strict=True)
        return {path: value for path, value in hashed if value is not None}


def _code(path: Path) -> str | None:
    try:
        return code_digest(path)
    except SyntaxError:
        return None


def _hash(path: Path) -> str | None:
    """Return the SHA-256 of a file, or of the names and hashes of all files in a folder.

    None if it is missing or not readable.
    """
    try:
        if not path.is_dir():
            return sha256(path)
        inside = sorted(file for file in path.rglob("*") if file.is_file())
        return digest({file.relative_to(path).as_posix(): sha256(file) for file in inside})
    except (OSError, ValueError):
        return None
