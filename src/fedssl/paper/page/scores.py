"""Find the scores whose single predictions the page shows, and their banks."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from fedssl.files import read_json
from fedssl.frames import read_parquet
from fedssl.record.inputs import verified
from fedssl.record.read import record_behind


def shown_scores(data: Mapping[str, Any]) -> Iterator[Path]:
    """Yield the score file of the first seed of each score.

    Other seeds would multiply the size of the page.

    Args:
        data: What `Jobs.as_data` returns.
    """
    seen = set()
    for step in data["steps"]:
        folder, name = step["path"]
        path = Path(data["folders"][folder], name)
        cell = re.sub(r"/seed\d+/", "/", str(path))
        if "scored" in step and not step.get("round") and cell not in seen:
            seen.add(cell)
            yield path


def read_predictions(score: Path) -> pd.DataFrame:
    """Return one row per scored sample; empty if the file of predictions is missing."""
    predictions = score.with_name(read_json(score)["predictions"])
    return read_parquet(verified(predictions)) if predictions.is_file() else pd.DataFrame()


def scored_bank(score: Path) -> Path | None:
    """Return the bank.json that a score was made on, which may be gone; None for pairs."""
    record = record_behind(score)
    inputs = record.content["inputs"] if record else ()
    banks = [Path(path) for path in inputs if Path(path).name == "bank.json"]
    return banks[0] if len(banks) == 1 else None
