"""Read the CSV files that the page shows row by row: claims, gains, and tables of other shapes."""

import csv
import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from fedssl.files import read_json
from fedssl.frames import read_csv
from fedssl.paper import paired_gain
from fedssl.paper.table_footers import EMPTY
from fedssl.paper.text_table import TextTable, scale_mark
from fedssl.paper.verdict import Verdict

Record = dict[str, Any]
_NUMBER = re.compile(r"[+-]?[\d,]*\d(\.\d+)?")


def read_rows(path: str | Path) -> list[dict[str, str]]:
    """Return the rows of a CSV as text."""
    with Path(path).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def read_gains(
    path: str | Path, record: str | Path, *, axes: Mapping[str, Mapping[str, str]]
) -> Record:
    """Return the gains over random init of a study, and the scale of their intervals.

    `reach` is the largest distance of an interval from zero, in points. `note` says what the
    intervals cover. `axes` gives the axes of each row.
    """
    path = Path(path)
    rows = [
        {**_gain(row), "axes": axes.get(row["row"], {}), "anchor": f"{path.stem}-{number}"}
        for number, row in enumerate(read_rows(path), start=1)
    ]
    ends = [abs(row[end]) for row in rows for end in ("low", "high") if row[end] is not None]
    return {
        "name": path.stem,
        "title": "Trained against untrained",
        "record": str(record),
        "study": rows[0]["study"] if rows else "",
        "rows": rows,
        # Never 0: the template divides by it.
        "reach": max(ends, default=1.0) or 1.0,
        "note": paired_gain.interval_note(max((int(row["n_seeds"]) for row in rows), default=0)),
    }


def read_other(
    path: str | Path,
    record: str | Path,
    *,
    text_table: Callable[[pd.DataFrame, Record], TextTable],
    axes: Mapping[str, Mapping[str, str]],
) -> Record:
    """Return a table of another shape as its Markdown shows it: title, header, rows and notes.

    Each row has its texts (each with the number at its start, or None), its axes and its verdict.

    Args:
        path: CSV of the table.
        record: Record of the job that wrote it.
        text_table: Returns the table as text from its CSV and the settings of its job.
        axes: Axes of each row.
    """
    path, spec = Path(path), read_json(record)["settings"]
    # With nullable types a count next to a missing value stays whole, as it was when written.
    frame = read_csv(path, dtype={"table": str}).convert_dtypes()
    table = text_table(frame, spec)
    return {
        "name": path.stem,
        "record": str(record),
        "title": table.title.removesuffix(scale_mark(spec)),
        "header": table.header,
        "numeric": [_is_numeric([row[n] for row in table.rows]) for n in range(len(table.header))],
        "rows": [
            _row(row, spec, axes=axes.get(row[0], {})) | {"anchor": f"{path.stem}-{number}"}
            for number, row in enumerate(table.rows, start=1)
        ],
        "notes": table.notes,
    }


def _row(texts: tuple[str, ...], spec: Record, *, axes: Mapping[str, str]) -> Record:
    missing = any(text.startswith("not run") for text in texts)
    verdict = Verdict.NOT_RUN if missing else "" if spec["scale"] == "paper" else Verdict.SCALED
    numbers = [_number(text) for text in texts]
    return {
        "row": texts[0],
        "texts": list(zip(texts, numbers, strict=True)),
        "axes": axes,
        "verdict": verdict,
        # A row that lacks single numbers was run.
        "unrun": missing and not any(number is not None for number in numbers[1:]),
    }


def _gain(row: Mapping[str, str]) -> Record:
    numbers = {name: float(row[name]) if row[name] else None for name in ("gain", "low", "high")}
    return {
        **row,
        **numbers,
        "pretrained_on": row["pretrained_on"] == "True",
        "unrun": numbers["gain"] is None,
    }


def _number(text: str) -> float | None:
    """Return the number at the start of a text, by which the page sorts; None without one."""
    found = _NUMBER.match(text)
    return float(found[0].replace(",", "")) if found else None


def _is_numeric(texts: Iterable[str]) -> bool:
    """Return whether all texts of a column start with a number or stand for a missing one."""
    given = (text for text in texts if text != EMPTY and not text.startswith("not run"))
    return all(_number(text) is not None for text in given)
