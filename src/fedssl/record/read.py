"""Read the provenance records of a results folder, even if the folder was moved."""

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from fedssl.errors import UserError
from fedssl.files import digest
from fedssl.grid.paths import RECORD, archive_record, folder_record, record_of
from fedssl.record.sources import WORKFLOW_FILES, WORKFLOW_FOLDERS

CHECKOUT = Path(__file__).resolve().parents[3]
CONFIG = CHECKOUT / "config"
# First parts of the paths of the workflow's own files.
_TOPS = frozenset([*WORKFLOW_FILES, *(folder.split("/")[0] for folder in WORKFLOW_FOLDERS)])
_HASHED = ("inputs", "outputs", "sources")


@dataclass(frozen=True)
class Record:
    """The provenance record of one job.

    Attributes:
        path: file of the record.
        root: results folder; for a record outside, its own folder.
        content: content of the file; empty if it is not a record.
        text: text of the file.
        outside: whether it is the record of an archive outside the results folder.
    """

    path: Path
    root: Path
    content: dict[str, Any]
    text: str
    outside: bool = False
    _located: dict[str, dict[Path, str]] = field(default_factory=dict, compare=False, repr=False)

    @property
    def name(self) -> str:
        """The path of the record below the results folder."""
        return str(self.path) if self.outside else shown(self.path, self.root)

    @property
    def rule(self) -> str:
        """The rule of the job."""
        return str(self.content.get("rule", "unknown"))

    @property
    def settings(self) -> dict[str, Any]:
        """The settings of the job."""
        return dict(self.content.get("settings", {}))

    @property
    def intact(self) -> bool:
        """Whether the file is byte for byte as it was written."""
        # The text is compared, too: other white space leaves the digest of the content the same.
        said = {key: value for key, value in self.content.items() if key != "digest"}
        written = json.dumps(self.content, indent=1, sort_keys=True) + "\n"
        return self.content.get("digest") == digest(said) and written == self.text

    @cached_property
    def prefix(self) -> str | None:
        """The results folder as the job named it; None if the job wrote to another folder."""
        # Of several possible prefixes, take the one under which most outputs exist now, and of
        # those the longest.
        outputs = list(self.content.get("outputs", {}))
        candidates = sorted(set(self._prefixes(outputs)), key=len, reverse=True)
        if len(candidates) < 2:
            return next(iter(candidates), None)
        return max(candidates, key=lambda prefix: self._found_below(prefix, outputs))

    def files(self, side: str) -> dict[Path, str]:
        """Return the current path and the recorded SHA-256 of each of the `inputs` or `outputs`."""
        if side not in self._located:
            named = self.content.get(side, {}).items()
            self._located[side] = {self.locate(name): value for name, value in named}
        return self._located[side]

    def locate(self, name: str) -> Path:
        """Return the current path of a file that the job named `name`; it need not exist."""
        if self.prefix is not None and name.startswith(f"{self.prefix}/"):
            return self.root / name.removeprefix(f"{self.prefix}/")
        # The job may have run in another checkout; the workflow's files are the same in this one.
        ours = [CHECKOUT / tail for tail in _tails(name)]
        candidates = [self._workdir / name, Path(name), CHECKOUT / name]
        gone = [path for path in ours if path.is_relative_to(CONFIG)]
        found = next(filter(is_readable, (*ours, *candidates)), (*gone, *candidates)[0])
        return found.absolute()

    def relocated(self, data: Any) -> Any:
        """Return settings with the current paths of files; `cell` keeps the path of the job."""
        if isinstance(data, dict):
            return {k: v if k == "cell" else self.relocated(v) for k, v in data.items()}
        if isinstance(data, list):
            return [self.relocated(item) for item in data]
        if isinstance(data, str) and self._names_a_file(data):
            return str(self.locate(data))
        return data

    def _names_a_file(self, text: str) -> bool:
        below = self.prefix is not None and text.startswith(f"{self.prefix}/")
        return below or text in self.content.get("inputs", {})

    def _prefixes(self, outputs: list[str]) -> Iterator[str]:
        """Yield each prefix of the outputs that is consistent with the record's own path."""
        folder = self.path.parent.relative_to(self.root).as_posix()
        inner = "/" if folder == "." else f"/{folder}/"
        names = [f"/{output}" for output in outputs]
        # A prefix that the first and the last name share is shared by all names.
        ends = [min(names, default=""), max(names, default="")]
        for name in names:
            before, found, _ = name.rpartition(inner)
            while found:
                if all(end.startswith(f"{before}/") for end in ends):
                    yield before[1:]
                before, found, _ = before.rpartition(inner)

    def _found_below(self, prefix: str, outputs: list[str]) -> int:
        places = (f"/{name}".removeprefix(f"/{prefix}").lstrip("/") for name in outputs)
        return sum(is_readable(self.root / place) for place in places)

    @property
    def _workdir(self) -> Path:
        """The working directory of the job, if the results have not been moved."""
        root, prefix = str(self.root), f"/{self.prefix}"
        return Path(root.removesuffix(prefix) or "/")


def is_readable(path: Path) -> bool:
    """Return whether a path exists and is readable."""
    # Path.exists raises PermissionError for a path in an unreadable folder; os.access does not.
    try:
        return os.access(path, os.R_OK)
    except ValueError:  # a forged record can name a path with a null byte
        return False


def read_records(root: Path) -> list[Record]:
    """Return all records below a results folder, sorted by path.

    Raises:
        UserError: There is no record.
    """
    records = [read_record(path, root) for path in find_records(root)]
    if not records:
        raise UserError(
            f"{root} has no {RECORD}: it is not a results folder, or no job has finished yet."
        )
    return records


def find_records(root: Path) -> list[Path]:
    """Return the files of all records below a folder, sorted.

    Raises:
        UserError: A folder cannot be read, so its records would be taken for missing.
    """

    def refuse(error: OSError) -> None:
        if not isinstance(error, FileNotFoundError | NotADirectoryError):  # removed meanwhile
            raise UserError(
                f"{error.filename} cannot be read ({error.strerror}); ask its owner for access."
            ) from error

    below = os.walk(root, onerror=refuse)
    found = (Path(folder, name) for folder, _, names in below for name in names)
    records = sorted(path for path in found if path.name.endswith(RECORD) and is_readable(path))
    return [path for path in records if path.is_file()]


def record_behind(output: str | Path) -> Record | None:
    """Return the record of the job that wrote a file, or None if there is none.

    `output` must be the path that the job used; moved results are not found.
    """
    places = [record_of(output), folder_record(output), archive_record(output)]
    if (folder := Path(output).parent).name:
        # Of a file in a folder among the outputs, such as a kept model.
        places.append(folder_record(folder))
    for path in map(Path, places):
        if path.is_file():
            record = read_record(path, path.parent)
            if str(output) in record.content.get("outputs", ()):
                return record
    return None


def whole(record: Record) -> Record:
    """Return the record unchanged if it is intact.

    Raises:
        UserError: The record was changed after its job wrote it.
    """
    if not record.intact:
        raise UserError(
            f"{record.path} is damaged: its content does not match its digest, so it was changed "
            "after its job wrote it. Run the job again; `fedssl audit` lists what depends on it."
        )
    return record


def read_record(path: Path, root: Path, *, outside: bool = False) -> Record:
    """Return one record; a file that is not a record has no content and is not intact."""
    text = path.read_bytes().decode("utf-8", errors="replace")
    try:
        content = json.loads(text, parse_constant=_refuse)
    except ValueError:
        content = None
    return Record(path, root, content if _is_record(content) else {}, text, outside)


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is not JSON")


def _is_record(content: Any) -> bool:
    if not isinstance(content, dict):
        return False
    mappings = [content.get(key) for key in ("settings", *_HASHED)]
    hashes = [mapping for mapping in mappings[1:] if isinstance(mapping, dict)]
    mappings += [content.get(key, {}) for key in ("code", "packages", "sizes", "wildcards")]
    return all(isinstance(mapping, dict) for mapping in mappings) and all(
        isinstance(value, str) for mapping in hashes for value in mapping.values()
    )


def is_ours(path: Path) -> bool:
    """Return whether a file belongs to the workflow in this checkout."""
    return any(path.is_relative_to(CHECKOUT / name) for name in _TOPS)


def _tails(name: str) -> Iterator[Path]:
    """Yield the suffixes of a path that could be paths of the workflow's files in a checkout."""
    parts = Path(name).parts
    return (Path(*parts[place:]) for place, part in enumerate(parts) if part in _TOPS)


def shown(path: Path, root: Path) -> str:
    """Return a path relative to the results folder if it is inside, else unchanged."""
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else str(path)
