"""Find the cell or results folder that an argument names, and read its records."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from glob import escape
from pathlib import Path
from typing import Any

from fedssl.errors import UserError
from fedssl.files import read_json
from fedssl.grid.cell import FOLDER, FORM
from fedssl.record.folder import results_folder
from fedssl.record.read import Record, find_records, read_record, whole

_STAGES = ("pretrain", "evaluate", "maps")
_CELL = re.compile(rf"(?:(?P<results>.*)/)?(?:{'|'.join(_STAGES)})/(?P<cell>{FOLDER})(?:/.*)?")
_BARE = re.compile(FOLDER)


@dataclass(frozen=True)
class CellResults:
    """A cell in a results folder; `records` are keyed by their path without the cell."""

    root: Path
    cell: str
    records: Mapping[str, Record]


def split_cell(text: str, results: str) -> tuple[str, str] | None:
    """Return the results folder and the cell in a path, or None if it contains no cell.

    A path that is only a cell is looked for in `results`.
    """
    text = text.strip("/") if not text.startswith("/") else text.rstrip("/")
    if match := _CELL.fullmatch(text):
        return match["results"] or ".", match["cell"]
    return (results, text) if _BARE.fullmatch(text) else None


def read_cell(text: str, results: str) -> CellResults:
    """Return the records of a cell.

    Raises:
        UserError: The text is not a cell, the cell has not run, or a folder cannot be read.
    """
    parts = split_cell(text, results)
    if parts is None:
        raise UserError(
            f"{text} is not a cell; {_beginning_with(text, results)}the form of a cell is {FORM}, "
            "optionally after <results>/pretrain/."
        )
    root, cell = results_folder(parts[0]), parts[1]
    found = sorted(path for stage in _STAGES for path in find_records(root / stage / cell))
    if not found:
        raise UserError(f"{cell} has not run in {parts[0]}; `fedssl cells` lists the cells.")
    names = (path.relative_to(root).as_posix().replace(f"{cell}/", "", 1) for path in found)
    records = (whole(read_record(path, root)) for path in found)
    return CellResults(root, cell, dict(zip(names, records, strict=True)))


def _beginning_with(text: str, results: str) -> str:
    """Return a hint on the pretrained cells whose path begins with a text."""
    pretrained = Path(results, "pretrain")
    place = text.strip("/").removeprefix(f"{pretrained}/")
    models = pretrained.glob(f"{escape(place)}*/**/model.safetensors")
    found = sorted(model.parent.relative_to(pretrained).as_posix() for model in models)
    return f"these begin with it: {', '.join(found)}; " if found else ""


def without_cell(name: str) -> str:
    """Return a path below a results folder with its cell replaced by <cell>."""
    match = _CELL.fullmatch(name)
    return name.replace(match["cell"], "<cell>") if match else name


def read_metrics(record: Record) -> Iterator[dict[str, Any]]:
    """Yield the content of the metric files that a job wrote."""
    for path in sorted(record.files("outputs")):
        content = read_json(path) if path.suffix == ".json" and path.is_file() else None
        if isinstance(content, dict) and set(content) >= {"value", "n_eval", "protocol", "task"}:
            yield content
