"""Count the encoder parameters for the rows of a table that prints them (fssuavl, table 5)."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fedssl.errors import UserError
from fedssl.files import read_json


def parameter_column(spec: Mapping[str, Any]) -> dict[str, str]:
    """Return row -> "counted (published)"; empty if the paper prints no number for the table.

    Raises:
        UserError: A score file does not contain the number of parameters.
    """
    if not any("parameters" in row for row in spec["rows"]):
        return {}
    dagger = "" if spec["scale"] == "paper" else "†"
    return {row["row"]: _entry(row, dagger=dagger) for row in spec["rows"]}


def _entry(row: Mapping[str, Any], *, dagger: str) -> str:
    # The evaluation job counted the parameters of the encoder that it loaded. Building the
    # encoder here would import torch and could count another one.
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
        raise UserError(
            f"{path} does not contain the number of parameters; only scores on pairs do."
        )
    return int(metric["parameters"])
