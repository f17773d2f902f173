"""How many parameters the encoders of a table's rows have: counted by the jobs that built them."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fedssl.errors import UserError
from fedssl.files import read_json


def parameter_column(spec: Mapping[str, Any]) -> dict[str, str]:
    """Return row -> "counted (published)", marked where scaled; empty where the paper has none.

    Raises:
        UserError: A metric file does not say how many parameters were used.
    """
    if not any("parameters" in row for row in spec["rows"]):
        return {}
    dagger = "" if spec["scale"] == "paper" else "†"
    return {row["row"]: _entry(row, dagger=dagger) for row in spec["rows"]}


def _entry(row: Mapping[str, Any], *, dagger: str) -> str:
    files = [
        path
        for cell in row["cells"]
        for paths in cell["metrics"].values()
        for path in map(Path, paths.values())
        if path.is_file()
    ]
    counts = sorted(set(map(_count, files)))
    counted = " / ".join(f"{count:,}{dagger}" for count in counts) or "not run"
    return f"{counted} ({row['parameters']})" if "parameters" in row else counted


def _count(path: Path) -> int:
    metric = read_json(path)
    if "parameters" not in metric:
        raise UserError(f"{path} does not count parameters; only scores on pairs do.")
    return int(metric["parameters"])
