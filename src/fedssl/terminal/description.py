"""Describe a job, and what it found, in the words of the user."""

import csv
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from fedssl.files import read_json
from fedssl.grid.cell import AXES
from fedssl.grid.paths import RECORD

_WORK = {
    "pretrain": "pretraining of",
    "pretrain_centralised": "pretraining of",
    "evaluate": "scores of",
    "evaluate_random_init": "scores of random",
    "evaluate_recalibrated": "recalibrated scores of",
    "score_rounds": "scores by round of",
    "fine_tune": "fine-tuning of",
    "fine_tune_random_init": "fine-tuning of random",
    "fine_tune_pairs": "fine-tuning of",
    "fine_tune_pairs_random_init": "fine-tuning of random",
    "paired": "scores of",
    "paired_image": "scores of",
    "paired_audio": "scores of",
    "paired_specialists": "scores of",
    "paired_random_init": "scores of random",
    "embedding_map": "map of",
    "acquire": "archive",
    "synthesise": "made-up archive",
    "bank_images": "bank of",
    "bank_waveforms": "bank of",
    "examples": "examples of",
}
_PROTOCOLS = {"knn": "kNN", "linear-probe": "linear"}
# Almost every cell has these, so they would only make lines longer.
_USUAL = {"variant": "base"}
_ROUNDS = "rounds.csv"
_PRODUCTS = (".md", ".html", ".pdf")


def describe(rule: str, wildcards: Mapping[str, str]) -> str:
    """Return what a job does, such as "scores of simclr vit fedavg a0-i100-b0, seed 0, cifar10"."""
    if product := wildcards.get("product"):
        return product
    work = _WORK.get(rule, rule.replace("_", " "))
    cell = [wildcards[axis] for axis in AXES if wildcards.get(axis) not in (None, _USUAL.get(axis))]
    others = {name: value for name, value in wildcards.items() if name not in AXES}
    if cell:
        others.pop("study", None)
    rest = [f"seed {value}" if name == "seed" else value for name, value in others.items()]
    return f"{' '.join([work, *cell])}, {', '.join(rest)}" if cell else " ".join([work, *rest])


def find(outputs: Iterable[str]) -> str:
    """Return what a job found: its scores, its last loss, or the file to look at; else "".

    Files that are missing, or that hold something else, are left out.
    """
    paths = [Path(output) for output in outputs]
    numbers = ", ".join(filter(None, map(_number, paths)))
    return numbers or next((str(path) for path in paths if path.suffix in _PRODUCTS), "")


def recorded_seconds(outputs: Iterable[str]) -> float | None:
    """Return the duration of a job by its record, or None if there is no record."""
    found = (_content(Path(output)) for output in outputs if output.endswith(RECORD))
    seconds = (content.get("seconds") for content in found)
    return next((float(value) for value in seconds if isinstance(value, int | float)), None)


def _number(path: Path) -> str:
    """Return the number in a file, with its name; "" for a file without one."""
    if path.name == _ROUNDS:
        return _last_loss(path)
    content = _content(path) if path.suffix == ".json" else {}
    name, value = content.get("protocol"), content.get("value")
    if not isinstance(name, str) or not isinstance(value, int | float):
        return ""
    return f"{_PROTOCOLS.get(name, name.replace('-', ' '))} {value:.1f}"


def _last_loss(path: Path) -> str:
    """Return the mean loss over the clients of the last round."""
    try:
        with path.open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        losses = [float(row["loss"]) for row in rows if row["round"] == rows[-1]["round"]]
    except (OSError, ValueError, KeyError):
        return ""
    return f"loss {sum(losses) / len(losses):.2f}" if losses else ""


def _content(path: Path) -> Mapping[str, Any]:
    # A line of progress is no place to fail: the job has ended well, whatever its files hold.
    try:
        content = read_json(path)
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def duration(seconds: float) -> str:
    """Return a duration in one unit, such as "9 s", "6 min", "3.4 h" or "5 days"."""
    if seconds < 60:
        return f"{max(seconds, 1):.0f} s"
    if seconds < 90 * 60:
        return f"{seconds / 60:.0f} min"
    hours = seconds / 3600
    return f"{hours:.1f} h" if hours < 48 else f"{hours / 24:.0f} days"
