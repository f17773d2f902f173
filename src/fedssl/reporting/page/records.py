"""CSV files that the page shows row by row: claims, gains, and tables of other shapes."""

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from fedssl.files import read_json
from fedssl.reporting import gains, paired_gain, tables

Record = dict[str, Any]


def kind_of(path: str | Path) -> str:
    """Return what a CSV of the tables folder holds: numbers, gains or, of any shape, rows."""
    kinds = {tuple(tables.COLUMNS): "numbers", tuple(gains.COLUMNS): "gains"}
    with Path(path).open(encoding="utf-8", newline="") as file:
        return kinds.get(tuple(next(csv.reader(file), [])), "rows")


def read_rows(path: str | Path) -> list[dict[str, str]]:
    """Return a CSV's rows as text."""
    with Path(path).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def read_gains(path: str | Path) -> Record:
    """Return a comparison with random init, and the axis that its intervals are drawn on.

    `reach` is the largest distance from zero, in points, and `note` says what the intervals cover.
    """
    rows = [_gain(row) for row in read_rows(path)]
    ends = [abs(row[end]) for row in rows for end in ("low", "high") if row[end] is not None]
    return {
        "name": Path(path).stem,
        "study": rows[0]["study"] if rows else "",
        "rows": rows,
        "reach": max(ends, default=1.0) or 1.0,
        "note": paired_gain.interval_note(max((int(row["n_seeds"]) for row in rows), default=0)),
    }


def read_other(path: str | Path) -> Record:
    """Return a table of any shape: title, header, rows of text, and which columns are numbers."""
    path = Path(path)
    rows = read_rows(path)
    header = list(rows[0]) if rows else []
    return {
        "name": path.stem,
        "title": title_of(path),
        "header": header,
        "numeric": [_is_numeric([row[column] for row in rows]) for column in header],
        "rows": [[row[column] for column in header] for row in rows],
    }


def title_of(path: Path) -> str:
    """Return the title that a table's or figure's job was given, or else the file's name."""
    record = path.with_suffix(".provenance.json")
    settings: Mapping[str, Any] = read_json(record)["settings"] if record.is_file() else {}
    return str(settings.get("title", path.stem.replace("_", " ")))


def _gain(row: Mapping[str, str]) -> Record:
    numbers = {name: float(row[name]) if row[name] else None for name in ("gain", "low", "high")}
    return {**row, **numbers, "pretrained_on": row["pretrained_on"] == "True"}


def _is_numeric(texts: Sequence[str]) -> bool:
    """Return whether a column holds nothing but numbers, and some."""
    given = [text for text in texts if text]
    try:
        return bool([float(text) for text in given])
    except ValueError:
        return False
