"""Rows of the csv files that label recordings kept elsewhere."""

import csv
from collections.abc import Iterator
from pathlib import Path

from fedssl.errors import UserError

_MOST_DIGITS = 18


def read_rows(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Yield (line number, fields) of each row that is not blank; UserError if it is no csv."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file, strict=True)
            yield from ((reader.line_num, row) for row in reader if row)
    except (UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"{path} is not a csv file in UTF-8 ({error}); fetch it again") from error


def whole_number(text: str, where: str) -> int:
    """Return a non-negative whole number; UserError naming `where` if it is none."""
    if not (text.isascii() and text.isdigit() and len(text) <= _MOST_DIGITS):
        raise UserError(f"{where}: {text!r} is where a whole number must be")
    return int(text)
