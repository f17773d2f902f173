"""Count which classes a score's predictions confuse, for the panel of a number."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from fedssl.files import read_json
from fedssl.paper.page.scores import read_predictions, scored_bank
from fedssl.paper.page.shards import histogram_picture

Record = dict[str, Any]
_MOST_CLASSES = 30  # a picture of more classes shows nothing at its size
_MOST_PAIRS = 3


def confusions(scores: Iterable[Path]) -> dict[str, Record]:
    """Return score file -> its confusions, for the scores that have predicted classes.

    Args:
        scores: What `fedssl.paper.page.scores.shown_scores` returns.
    """
    found = {str(score): confusion(score) for score in scores}
    return {score: own for score, own in found.items() if own}


def confusion(score: Path) -> Record | None:
    """Return a picture of the confusions of a score, and its most frequent pairs.

    `picture` has a row per true and a column per predicted class; it is None for many classes.
    `pairs` are [true class, predicted class, number of samples, samples of the true class]. None if
    the predictions are missing or are not classes.
    """
    frame = read_predictions(score)
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
    bank = scored_bank(score)
    names: list[str] = read_json(bank)["classes"] if bank and bank.is_file() else []
    return names
