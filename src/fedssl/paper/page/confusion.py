"""Count which classes a score's predictions confuse, for the panel of a number."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from fedssl.files import read_json
from fedssl.frames import read_parquet
from fedssl.paper.page.shards import histogram_picture
from fedssl.record.inputs import verified
from fedssl.record.read import record_behind

Record = dict[str, Any]
_MOST_CLASSES = 30  # a picture of more classes shows nothing at its size
_MOST_PAIRS = 3


def confusions(data: Mapping[str, Any]) -> dict[str, Record]:
    """Return score file -> its confusions, for the first seed of each score.

    Other seeds would multiply the size of the page. Retrieval has no predicted class.

    Args:
        data: What `Jobs.as_data` returns.
    """
    found: dict[str, Record] = {}
    seen = set()
    for step in data["steps"]:
        folder, name = step["path"]
        path = Path(data["folders"][folder], name)
        cell = re.sub(r"/seed\d+/", "/", str(path))
        if "scored" not in step or step.get("round") or cell in seen:
            continue
        seen.add(cell)
        if own := confusion(path):
            found[str(path)] = own
    return found


def confusion(score: Path) -> Record | None:
    """Return a picture of the confusions of a score, and its most frequent pairs.

    `picture` has a row per true and a column per predicted class; it is None for many classes.
    `pairs` are [true class, predicted class, number of samples, samples of the true class]. None if
    the predictions are missing or are not classes.
    """
    predictions = score.with_name(read_json(score)["predictions"])
    frame = read_parquet(verified(predictions)) if predictions.is_file() else pd.DataFrame()
    if not {"label", "prediction"} <= set(frame.columns):
        return None
    true, predicted = frame["label"].to_numpy(), frame["prediction"].to_numpy()
    names = _class_names(score)
    classes = max(len(names), int(true.max()) + 1, int(predicted.max()) + 1)
    counts = np.zeros((classes, classes), dtype=int)
    np.add.at(counts, (true, predicted), 1)
    wrong = counts - np.diag(counts.diagonal())
    # A stable sort, so that equal counts give the same page each time.
    order = np.argsort(-wrong, axis=None, kind="stable")[:_MOST_PAIRS]
    pairs = [divmod(int(place), classes) for place in order if wrong.flat[place]]
    return {
        "classes": classes,
        "picture": histogram_picture(counts) if classes <= _MOST_CLASSES else None,
        "pairs": [
            [_name(names, a), _name(names, b), int(wrong[a, b]), int(counts[a].sum())]
            for a, b in pairs
        ],
    }


def _name(names: list[str], label: int) -> str:
    return names[label] if label < len(names) else f"class {label}"


def _class_names(score: Path) -> list[str]:
    """Return the names of the classes from the bank that was scored; empty if it is not there."""
    record = record_behind(score)
    inputs = record.content["inputs"] if record else ()
    banks = [path for path in inputs if Path(path).name == "bank.json" and Path(path).is_file()]
    names: list[str] = read_json(banks[0])["classes"] if len(banks) == 1 else []
    return names
