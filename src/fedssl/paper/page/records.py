"""CSV files that the page shows row by row: claims, gains, and tables of other shapes."""

import csv
import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from fedssl.errors import UserError
from fedssl.files import read_json
from fedssl.paper import paired_gain
from fedssl.paper.markup import Grid, scale_mark
from fedssl.paper.products import (
    communication,
    contrasts,
    datasets,
    gains,
    rounds,
    table,
)

Record = dict[str, Any]
_NUMBER = re.compile(r"[+-]?[\d,]*\d(\.\d+)?")
_GRIDS: dict[tuple[str, ...], Callable[[pd.DataFrame, Record], Grid]] = {
    communication.COLUMNS: communication.ledger_grid,
    contrasts.COLUMNS: contrasts.contrasts_grid,
    datasets.COLUMNS: datasets.datasets_grid,
    rounds.KEYS: rounds.rounds_grid,
}


def kind_of(path: str | Path) -> str:
    """Return what a CSV of the tables folder holds: numbers, gains or, of another shape, rows."""
    kinds = {tuple(table.COLUMNS): "numbers", tuple(gains.COLUMNS): "gains"}
    with Path(path).open(encoding="utf-8", newline="") as file:
        return kinds.get(tuple(next(csv.reader(file), [])), "rows")


def read_rows(path: str | Path) -> list[dict[str, str]]:
    """Return a CSV's rows as text."""
    with Path(path).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def read_gains(path: str | Path, *, axes: Mapping[str, Mapping[str, str]]) -> Record:
    """Return a comparison with random init, and the axis that its intervals are drawn on.

    `reach` is the largest distance from zero, in points, `note` says what the intervals cover, and
    `axes` are those of each row.
    """
    rows = [_gain(row) | {"axes": axes.get(row["row"], {})} for row in read_rows(path)]
    ends = [abs(row[end]) for row in rows for end in ("low", "high") if row[end] is not None]
    return {
        "name": Path(path).stem,
        "study": rows[0]["study"] if rows else "",
        "rows": rows,
        "reach": max(ends, default=1.0) or 1.0,
        "note": paired_gain.interval_note(max((int(row["n_seeds"]) for row in rows), default=0)),
    }


def read_other(path: str | Path, *, axes: Mapping[str, Mapping[str, str]]) -> Record:
    """Return a table of another shape as its Markdown has it: title, header, rows and notes.

    A row has its texts, each with the number it begins with (None: none), its axes and verdict.

    Raises:
        UserError: The CSV has columns that no table of this project has.
    """
    path = Path(path)
    spec = _settings(path)
    frame = pd.read_csv(path, dtype={"table": str}).convert_dtypes()
    grid = _grid_of(path, frame)(frame, spec)
    return {
        "name": path.stem,
        "title": grid.title.removesuffix(scale_mark(spec)),
        "header": grid.header,
        "numeric": [_is_numeric([row[n] for row in grid.rows]) for n in range(len(grid.header))],
        "rows": [_row(row, spec, axes=axes.get(row[0], {})) for row in grid.rows],
        "notes": grid.notes,
    }


def title_of(path: Path) -> str:
    """Return the title that a figure's job was given, or else the file's name."""
    return str(_settings(path).get("title", path.stem.replace("_", " ")))


def _settings(path: Path) -> Record:
    """Return what the job of a table or figure was given; one job may write both."""
    folders = (path.parent, path.parents[1] / "tables", path.parents[1] / "figures")
    records = (folder / f"{path.stem}.provenance.json" for folder in folders)
    found = next((record for record in records if record.is_file()), None)
    settings: Record = read_json(found)["settings"] if found else {}
    return settings


def _grid_of(path: Path, frame: pd.DataFrame) -> Callable[[pd.DataFrame, Record], Grid]:
    header = tuple(map(str, frame.columns))
    for columns, grid in _GRIDS.items():
        if header[: len(columns)] == columns:
            return grid
    raise UserError(f"{path} has the columns {', '.join(header)}, as no table here has.")


def _row(texts: tuple[str, ...], spec: Record, *, axes: Mapping[str, str]) -> Record:
    missing = any(text.startswith("not run") for text in texts)
    verdict = "not-run" if missing else "" if spec["scale"] == "paper" else "scaled"
    return {"texts": [(text, _number(text)) for text in texts], "axes": axes, "verdict": verdict}


def _gain(row: Mapping[str, str]) -> Record:
    numbers = {name: float(row[name]) if row[name] else None for name in ("gain", "low", "high")}
    return {**row, **numbers, "pretrained_on": row["pretrained_on"] == "True"}


def _number(text: str) -> float | None:
    """Return the number that a text is or, before a unit, mark or second number, starts with."""
    found = _NUMBER.match(text)
    return float(found[0].replace(",", "")) if found else None


def _is_numeric(texts: Iterable[str]) -> bool:
    """Return whether a column holds nothing but numbers and words for none."""
    given = (text for text in texts if text != "—" and not text.startswith("not run"))
    return all(_number(text) is not None for text in given)
