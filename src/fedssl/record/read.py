"""Provenance records as they lie in a results folder, wherever that has been moved to."""

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from fedssl.errors import UserError
from fedssl.files import digest
from fedssl.grid.paths import RECORD, folder_record, record_of
from fedssl.record.sources import WORKFLOW_FILES, WORKFLOW_FOLDERS

CHECKOUT = Path(__file__).resolve().parents[3]
CONFIG = CHECKOUT / "config"
# The first parts of the paths of a workflow's own files.
_TOPS = frozenset([*WORKFLOW_FILES, *(folder.split("/")[0] for folder in WORKFLOW_FOLDERS)])
_STAGES = ("pretrain", "tables")  # folders that only a folder of results has
_HASHED = ("inputs", "outputs", "sources")


@dataclass(frozen=True)
class Record:
    """One job's provenance: the file, the folder it is audited in, and what it says.

    `content` is empty where the file is no record at all. `outside` marks the record of an archive
    that lies elsewhere; its `root` is its own folder.
    """

    path: Path
    root: Path
    content: dict[str, Any]
    text: str
    outside: bool = False
    _located: dict[str, dict[Path, str]] = field(default_factory=dict, compare=False, repr=False)

    @property
    def name(self) -> str:
        """The record's file as people find it: below the results folder."""
        return str(self.path) if self.outside else shown(self.path, self.root)

    @property
    def rule(self) -> str:
        """The rule whose job wrote the record."""
        return str(self.content.get("rule", "unknown"))

    @property
    def settings(self) -> dict[str, Any]:
        """What the job was told to do."""
        return dict(self.content.get("settings", {}))

    @property
    def intact(self) -> bool:
        """Whether the file is byte for byte what its digest was taken of."""
        said = {key: value for key, value in self.content.items() if key != "digest"}
        written = json.dumps(self.content, indent=1, sort_keys=True) + "\n"
        return self.content.get("digest") == digest(said) and written == self.text

    @cached_property
    def prefix(self) -> str | None:
        """The results folder as the job knew it; None if the job wrote to another folder.

        Where several would do, that under which most outputs lie here, and of those the longest.
        """
        outputs = list(self.content.get("outputs", {}))
        candidates = sorted(set(self._prefixes(outputs)), key=len, reverse=True)
        if len(candidates) < 2:
            return next(iter(candidates), None)
        return max(candidates, key=lambda prefix: self._found_below(prefix, outputs))

    def files(self, side: str) -> dict[Path, str]:
        """Return where each of the `inputs` or `outputs` lies now, and its recorded SHA-256."""
        if side not in self._located:
            named = self.content.get(side, {}).items()
            self._located[side] = {self.locate(name): value for name, value in named}
        return self._located[side]

    def locate(self, name: str) -> Path:
        """Return where a file that the job knew as `name` lies now, whether it is there or not."""
        if self.prefix is not None and name.startswith(f"{self.prefix}/"):
            return self.root / name.removeprefix(f"{self.prefix}/")
        ours = [CHECKOUT / tail for tail in _tails(name)]  # for any other checkout that ran
        candidates = [self._workdir / name, Path(name), CHECKOUT / name]
        gone = [path for path in ours if path.is_relative_to(CONFIG)]
        found = next(filter(at_hand, (*ours, *candidates)), (*gone, *candidates)[0])
        return found.absolute()

    def relocated(self, data: Any) -> Any:
        """Return settings with the paths of files where they lie now, all but those of `cell`."""
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
        """Yield each folder that, as the folder of results, puts the record where it lies."""
        folder = self.path.parent.relative_to(self.root).as_posix()
        inner = "/" if folder == "." else f"/{folder}/"
        names = [f"/{output}" for output in outputs]
        ends = [min(names, default=""), max(names, default="")]  # what these share, all share
        for name in names:
            before, found, _ = name.rpartition(inner)
            while found:
                if all(end.startswith(f"{before}/") for end in ends):
                    yield before[1:]
                before, found, _ = before.rpartition(inner)

    def _found_below(self, prefix: str, outputs: list[str]) -> int:
        places = (f"/{name}".removeprefix(f"/{prefix}").lstrip("/") for name in outputs)
        return sum(at_hand(self.root / place) for place in places)

    @property
    def _workdir(self) -> Path:
        """The folder that the job's relative paths start from, if the results still lie there."""
        root, prefix = str(self.root), f"/{self.prefix}"
        return Path(root.removesuffix(prefix) or "/")


def at_hand(path: Path) -> bool:
    """Return whether a path exists and may be read; Path.exists may raise."""
    try:
        return os.access(path, os.R_OK)
    except ValueError:  # a forged record may name what no file can be called
        return False


def results_folder(path: str | Path) -> Path:
    """Return the absolute path of a results folder.

    Raises:
        UserError: There is none, or it may not be read, or it is the parent of several.
    """
    root = Path(path).absolute()
    if not os.path.isdir(root):  # Path.is_dir may raise
        raise UserError(
            f"{path} is no folder that you may look into; name a folder of results, such as "
            "results/paper."
        )
    if not os.access(root, os.R_OK | os.X_OK):
        raise UserError(f"{path} may not be read by you; ask its owner for that.")
    below = sorted({stage.parent for name in _STAGES for stage in root.glob(f"*/{name}")})
    if below and not any((root / name).is_dir() for name in _STAGES):
        names = ", ".join(str(Path(path, folder.name)) for folder in below)
        raise UserError(f"{path} holds folders of results and is none; name one of {names}.")
    return root.resolve()


def read_records(root: Path) -> list[Record]:
    """Return every record below a results folder, sorted; UserError if it has none."""
    records = [read_record(path, root) for path in find_records(root)]
    if not records:
        raise UserError(
            f"{root} holds no {RECORD}: it is no folder of results, or nothing has run yet."
        )
    return records


def find_records(root: Path) -> list[Path]:
    """Return the file of every record below a folder, sorted."""
    found = sorted(path for path in root.rglob(f"*{RECORD}") if at_hand(path))
    return [path for path in found if path.is_file()]


def record_behind(output: str | Path) -> Record | None:
    """Return the record of the job that wrote a file, or None without one.

    `output` is the path that the job knew: results that were moved are not searched.
    """
    for path in map(Path, (record_of(output), folder_record(output))):
        if path.is_file():
            record = read_record(path, path.parent)
            if str(output) in record.content.get("outputs", ()):
                return record
    return None


def whole(record: Record) -> Record:
    """Return a record that is intact.

    Raises:
        UserError: It is not what its job wrote.
    """
    if not record.intact:
        raise UserError(
            f"{record.path} is damaged: it does not have the digest it carries, so it was changed "
            "after its job wrote it. `fedssl audit` lists what rests on it; run the job again."
        )
    return record


def read_record(path: Path, root: Path, *, outside: bool = False) -> Record:
    """Return one record; a file that is none has no content and so is not intact."""
    text = path.read_bytes().decode("utf-8", errors="replace")
    try:
        content = json.loads(text, parse_constant=_refuse)
    except ValueError:
        content = None
    return Record(path, root, content if _is_record(content) else {}, text, outside)


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is no JSON")


def _is_record(content: Any) -> bool:
    if not isinstance(content, dict):
        return False
    mappings = [content.get(key) for key in ("settings", *_HASHED)]
    hashes = [mapping for mapping in mappings[1:] if isinstance(mapping, dict)]
    mappings += [content.get(key, {}) for key in ("code", "packages", "wildcards")]
    return all(isinstance(mapping, dict) for mapping in mappings) and all(
        isinstance(value, str) for mapping in hashes for value in mapping.values()
    )


def is_ours(path: Path) -> bool:
    """Return whether a file is one that this checkout's workflow consists of."""
    return any(path.is_relative_to(CHECKOUT / name) for name in _TOPS)


def _tails(name: str) -> Iterator[Path]:
    """Yield the ends of a path that might be that of a file of the workflow in its checkout."""
    parts = Path(name).parts
    return (Path(*parts[place:]) for place, part in enumerate(parts) if part in _TOPS)


def shown(path: Path, root: Path) -> str:
    """Return a path below the results folder if it lies there, else as it is."""
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else str(path)
