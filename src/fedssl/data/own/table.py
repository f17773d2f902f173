"""Find the files of an own dataset in a CSV file with the columns path, label and split.

Other columns are ignored. Relative paths start at the folder of the CSV file. Absolute paths, and
paths that lead out of that folder, are allowed.
"""

import os
import re
from collections.abc import Iterator
from pathlib import Path

from fedssl.data.file_names import can_be_shown, existing_path, one_form
from fedssl.data.own.labelled_files import TRAIN, LabelledFile, check_classes
from fedssl.data.readers.csv_rows import read_rows
from fedssl.errors import UserError

_COLUMNS = ("path", "label", "split")
_SPLIT = re.compile("[a-z]+")


def find_splits(table: Path) -> list[str]:
    """Return the splits of a CSV file and check all of its rows; the files need not exist.

    Raises:
        UserError: a column is missing or a cell is invalid; names the file and the line.
    """
    if not table.is_file():
        kind = "is not a file" if table.exists() else "does not exist"
        raise UserError(f"{table} {kind}; it must be a csv with the columns {_listed(_COLUMNS)}")
    files = find_files(table)
    check_classes((file.label for file in files), where=str(table))
    splits = sorted({file.split for file in files})
    if TRAIN not in splits or len(splits) < 2:
        raise UserError(
            f"{table} has the splits {_listed(splits)}; it must have train and another one"
        )
    return splits


def find_files(table: Path) -> list[LabelledFile]:
    """Return the files in the order of the CSV file, including files that do not exist."""
    return list(_labelled_files(table))


def _labelled_files(table: Path) -> Iterator[LabelledFile]:
    lines = read_rows(table)
    _, header = next(lines, (0, []))
    header = [name.strip() for name in header]
    if missing := [name for name in _COLUMNS if name not in header]:
        raise UserError(
            f"{table}, line 1 has no column {_listed(missing)}; its columns are "
            f"{', '.join(header) or 'none'}; it must have path, label and split, with a "
            "comma between them"
        )
    if twice := [name for name in _COLUMNS if header.count(name) > 1]:
        raise UserError(f"{table}, line 1 has the column {_listed(twice)} twice; keep one of them")
    places = [header.index(name) for name in _COLUMNS]
    seen: dict[str, int] = {}
    for line, row in lines:
        # Spreadsheets write rows of commas below the last row.
        if not any(map(str.strip, row)):
            continue
        where = f"{table}, line {line}"
        if len(row) != len(header):
            raise UserError(f"{where} has {len(row)} fields, but the header has {len(header)}")
        name, label, split = (one_form(row[place].strip()) for place in places)
        _check_row(name, label, split, where=where)
        path = os.path.normpath(os.path.join(table.parent, os.path.expanduser(name)))
        # A file in two splits would be trained on and tested. Compare normalised paths, because
        # `a.wav` and `./a.wav` are one file.
        if path in seen:
            raise UserError(
                f"{where}: {name} is already in line {seen[path]}; name every file only once"
            )
        seen[path] = line
        yield LabelledFile(name, existing_path(path), label, split, line)


def _check_row(name: str, label: str, split: str, *, where: str) -> None:
    for column, value in (("path", name), ("label", label)):
        if not value:
            raise UserError(f"{where}: {column} is empty; it must be text")
        if not can_be_shown(value):
            raise UserError(f"{where}: {column} is {value!r}, which cannot be printed; rename it")
    if not _SPLIT.fullmatch(split):
        raise UserError(
            f"{where}: split is {split!r}; it must be lower-case letters, for example train"
        )


def _listed(names: list[str] | tuple[str, ...]) -> str:
    return ", ".join(names) or "none"
