"""Read the numbers that the papers print, from `config/published/*.csv`."""

import csv
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pandas as pd

from fedssl.errors import UserError

COLUMNS = ("study", "table", "row", "column", "protocol", "value", "page", "note")
KEY = ("study", "table", "row", "column", "protocol")
PROTOCOL_LABELS = {
    "knn": "kNN",
    "knn-recalibrated": "kNN, recalibrated",
    "linear-probe": "L.P",
    "fine-tune": "F.T",
    "retrieval": "R@1",
    "best-round": "best R@1",
    "held-out-round": "held-out R@1",
    "chosen-round": "best round",
    "paired": "paired",
    "transfer": "transfer",
}
# The paper calls all three kNN, because the name of the column tells the input.
_SCORES = {"knn-av": "knn", "knn-v": "knn", "knn-a": "knn"}
# The cells and their average are each rounded to two decimals, so each may be off by half a unit.
_ROUNDING = 0.01 + 1e-9


def heading(column: str, protocol: str | None) -> str:
    """Return the printed name of a column, such as "C-10 L.P"; silhouettes have no protocol."""
    return column if protocol is None else f"{column} {PROTOCOL_LABELS[protocol]}"


def label_of(score: str) -> str:
    """Return the printed name of a score file's protocol; empty for silhouettes."""
    return PROTOCOL_LABELS.get(_SCORES.get(score, score), "")


def read_published(paths: Iterable[str | Path]) -> pd.DataFrame:
    """Return the published numbers with the columns `COLUMNS`, in file order, in percent.

    Raises:
        UserError: A file has other columns, a value that is not a percentage, an unknown protocol,
            a table that is neither a number nor empty (for a number from the prose), or gives a
            number twice. The message names file, line and value.
    """
    seen: dict[tuple[str, ...], str] = {}
    records = []
    for path in paths:
        for place, record in _records(Path(path)):
            key = tuple(record[name] for name in KEY)
            if key in seen:
                raise UserError(
                    f"{place}: {' / '.join(key)} was already given in {seen[key]}; remove one."
                )
            seen[key] = place
            records.append(record)
    return pd.DataFrame.from_records(records, columns=list(COLUMNS)).astype({"value": float})


def printed_averages(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the printed averages that differ from the mean of their cells by more than rounding.

    A column whose name starts with "Avg." averages the cells of its row and protocol since the
    previous average, in file order. An average without cells cannot be checked and is left out.

    Returns:
        A frame with the columns study, table, row, column, protocol, printed and recomputed.
    """
    wrong: list[dict[str, Any]] = []
    for _, group in rows.groupby(["study", "table", "row", "protocol"], sort=False):
        cells: list[float] = []
        for record in group.to_dict("records"):
            if not str(record["column"]).startswith("Avg."):
                cells.append(record["value"])
                continue
            average = sum(cells) / len(cells) if cells else record["value"]
            if abs(record["value"] - average) > _ROUNDING:
                key = {name: record[name] for name in KEY}
                wrong.append(key | {"printed": record["value"], "recomputed": average})
            cells = []
    return pd.DataFrame.from_records(wrong, columns=[*KEY, "printed", "recomputed"])


def _records(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield "file, line n" and the checked record of each row."""
    # The csv module tells the line of each row, which `pd.read_csv` does not.
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file, strict=True)
            header = tuple(next(reader, []))
            if header != COLUMNS:
                raise UserError(
                    f"{path}, line 1: columns are {', '.join(header) or 'missing'}; "
                    f"they must be {', '.join(COLUMNS)}."
                )
            for cells in reader:
                place = f"{path}, line {reader.line_num}"
                yield place, _checked(cells, place=place)
    except (UnicodeDecodeError, csv.Error) as error:
        raise UserError(
            f"{path} cannot be read ({error}); it must be text in UTF-8 with commas between cells."
        ) from error


def _checked(cells: list[str], *, place: str) -> dict[str, Any]:
    if len(cells) != len(COLUMNS):
        raise UserError(
            f"{place}: {len(cells)} cells in '{','.join(cells)}'; a row must have {len(COLUMNS)}."
        )
    record: dict[str, Any] = dict(zip(COLUMNS, cells, strict=True))
    for name in ("study", "row", "column"):
        if not record[name].strip():
            raise UserError(f"{place}: {name} is '{record[name]}'; it must be a name.")
    if record["table"] and not record["table"].isdecimal():
        raise UserError(
            f"{place}: table is '{record['table']}'; it must be a bare number, or empty for a "
            "number from the prose."
        )
    if record["protocol"] not in PROTOCOL_LABELS:
        known = ", ".join(PROTOCOL_LABELS)
        raise UserError(f"{place}: protocol is '{record['protocol']}'; it must be one of {known}.")
    return record | {"value": _percent(record["value"], place=place)}


def _percent(text: str, *, place: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not 0 <= value <= 100:
        raise UserError(f"{place}: value is '{text}'; it must be a percentage from 0 to 100.")
    return value
