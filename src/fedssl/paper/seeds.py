"""Read and write the values of single seeds, which lie in a JSON file next to each table.

Claims compare cells seed by seed, and the page links each seed to its jobs. The CSV of a table has
only the mean over seeds.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from fedssl.errors import UserError
from fedssl.files import read_json, write_json

# More decimals than a table has, so that no comparison is decided by rounding.
_DECIMALS = 6


@dataclass(frozen=True)
class Seeds:
    """The values of the seeds behind one number of a table.

    Attributes:
        row: Row of the number.
        column: Column of the number, as the CSV has it.
        error: Standard error over samples; None for a silhouette and for the number of a round.
        values: Value of each seed.
        models: Model files of each seed.
        scores: Score file of each seed and task.
        random_init: Value of each seed before training; empty if they were not all measured.
    """

    row: str
    column: str
    error: float | None
    values: Mapping[str, float]
    models: Mapping[str, Sequence[str]] = field(default_factory=dict)
    scores: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    random_init: Mapping[str, float] = field(default_factory=dict)

    @property
    def is_trained(self) -> bool:
        """Whether the values are those of trained encoders, which have model files."""
        return any(self.models.values())


def seeds_of(table: str | Path) -> str:
    """Return the path of the seeds file next to a table's CSV."""
    return str(Path(table).with_suffix(".seeds.json"))


def write_seeds(numbers: Iterable[Seeds], path: str | Path) -> None:
    """Write the values as JSON; the key `decimals` says how they are rounded."""
    entries = [
        {
            **asdict(number),
            "error": None if number.error is None else round(number.error, _DECIMALS),
            "values": _rounded(number.values),
            "random_init": _rounded(number.random_init),
        }
        for number in numbers
    ]
    write_json(path, {"decimals": _DECIMALS, "numbers": entries})


def _rounded(values: Mapping[str, float]) -> dict[str, float]:
    return {seed: round(value, _DECIMALS) for seed, value in values.items()}


def read_seeds(table: str | Path) -> dict[tuple[str, str], Seeds]:
    """Return (row, column) -> seeds of a table's CSV.

    Raises:
        UserError: The seeds file is missing.
    """
    path = Path(seeds_of(table))
    if not path.is_file():
        raise UserError(
            f"{path} is missing; it must hold the values of the seeds of {table}. "
            "Write the table again."
        )
    numbers = [Seeds(**entry) for entry in read_json(path)["numbers"]]
    return {(number.row, number.column): number for number in numbers}
