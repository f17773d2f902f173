"""What each seed measured: a file beside a table, for comparisons paired by seed."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fedssl.errors import UserError
from fedssl.files import read_json, write_json
from fedssl.paper.claims.predicates import heading
from fedssl.paper.measurement import measure

_DECIMALS = 6


@dataclass(frozen=True)
class Seeds:
    """A measured number's value of each seed, and its standard error over samples if it has one.

    A silhouette and the number of a round have none.
    """

    row: str
    column: str
    error: float | None
    values: Mapping[str, float]


def table_seeds(spec: Mapping[str, Any]) -> Iterator[Seeds]:
    """Yield every measured number of a table, `spec` being what `build_table` takes."""
    for row in spec["rows"]:
        for column in spec["columns"] if row.get("declared", False) else ():
            score = column.get("score", column["protocol"])
            measured = measure(row["cells"], score, tasks=column["tasks"])
            if measured is not None:
                name = heading(column["column"], column["protocol"])
                yield Seeds(row["row"], name, measured.error, measured.seeds)


def write_seeds(numbers: Iterable[Seeds], path: str | Path) -> None:
    """Write the numbers as JSON, rounded to `decimals`: finer than any table."""
    write_json(path, {"decimals": _DECIMALS, "numbers": [_entry(number) for number in numbers]})


def read_seeds(table: str | Path) -> dict[tuple[str, str], Seeds]:
    """Return the numbers behind a table's CSV by row and column.

    Raises:
        UserError: The file beside it is missing.
    """
    path = Path(table).with_suffix(".seeds.json")
    if not path.is_file():
        raise UserError(f"{path} is missing, which says what each seed of {table} measured.")
    numbers = [Seeds(**entry) for entry in read_json(path)["numbers"]]
    return {(number.row, number.column): number for number in numbers}


def _entry(number: Seeds) -> dict[str, Any]:
    return {
        "row": number.row,
        "column": number.column,
        "error": None if number.error is None else round(number.error, _DECIMALS),
        "values": {seed: round(value, _DECIMALS) for seed, value in number.values.items()},
    }
