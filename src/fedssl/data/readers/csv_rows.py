"""Read the rows of CSV files that label other files."""

import csv
from collections.abc import Iterator
from pathlib import Path

from fedssl.errors import UserError

# Python's int() accepts numbers of any length, but the arrays of a bank hold int64.
_MAX_DIGITS = 18


def read_rows(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Yield (line number, fields) of each row that is not blank.

    Raises:
        UserError: the file is not CSV in UTF-8.
    """
    # Use the csv module: labels of VGGSound contain commas and are quoted. "utf-8-sig" drops the
    # byte order mark that spreadsheets write.
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file, strict=True)
            yield from ((reader.line_num, row) for row in reader if row)
    except (UnicodeDecodeError, csv.Error) as error:
        raise UserError(
            f"{path} is not a csv file in UTF-8 ({error}); fetch it or save it again"
        ) from error


def whole_number(text: str, where: str) -> int:
    """Return `text` as a non-negative whole number.

    Raises:
        UserError: the text is not such a number; the message starts with `where`.
    """
    # int() would also accept " 7 ", "1_000" and digits of other scripts.
    if not (text.isascii() and text.isdigit() and len(text) <= _MAX_DIGITS):
        raise UserError(f"{where}: {text!r} must be a whole number")
    return int(text)
