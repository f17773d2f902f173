"""What each seed measured: a file next to a table, for comparisons paired by seed."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fedssl.errors import UserError
from fedssl.files import read_json, write_json

_DECIMALS = 6


@dataclass(frozen=True)
class Seeds:
    """A measured number of a table: its value for each seed.

    `error` is the standard error over samples. A silhouette and the number of a round have none.
    `models` has the models of each seed, and `scores` its score file for each task.
    """

    row: str
    column: str
    error: float | None
    values: Mapping[str, float]
    models: Mapping[str, Sequence[str]] = field(default_factory=dict)
    scores: Mapping[str, Mapping[str, str]] = field(default_factory=dict)


def seeds_of(table: str | Path) -> str:
    """Return the file of the seeds' numbers of a table's CSV."""
    return str(Path(table).with_suffix(".seeds.json"))


def write_seeds(numbers: Iterable[Seeds], path: str | Path) -> None:
    """Write the numbers as JSON, rounded to `decimals`: finer than any table."""
    write_json(path, {"decimals": _DECIMALS, "numbers": [_entry(number) for number in numbers]})


def read_seeds(table: str | Path) -> dict[tuple[str, str], Seeds]:
    """Return the numbers behind a table's CSV by row and column.

    Raises:
        UserError: The file of the seeds is missing.
    """
    path = Path(seeds_of(table))
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
        "models": {seed: list(models) for seed, models in number.models.items()},
        "scores": {seed: dict(scores) for seed, scores in number.scores.items()},
    }
