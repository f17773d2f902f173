"""What pretraining is worth: each row's accuracy over the same encoder at random."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fedssl.errors import UserError
from fedssl.evaluation.statistics import paired_bootstrap
from fedssl.files import atomic_write, write_text
from fedssl.reporting.markup import Grid, scale_mark, scale_notes, to_markdown
from fedssl.reporting.metrics import read_metric, read_predictions

COLUMNS = (
    "study",
    "row",
    "modality",
    "pretrained_on",
    "tasks",
    "n_seeds",
    "n_eval",
    "gain",
    "low",
    "high",
    "excludes_zero",
    "status",
)
_RESAMPLES = 10_000
_SEED = 0
_PROTOCOL = "knn"
_DTYPES = {
    "n_seeds": "Int64",
    "n_eval": "Int64",
    "gain": "float64",
    "low": "float64",
    "high": "float64",
    "excludes_zero": "boolean",
}


def write_gains(spec: Mapping[str, Any], *, csv: str | Path, md: str | Path) -> None:
    """Write the gains over random init as CSV (rounded to four decimals) and Markdown."""
    frame = build_gains(spec)
    with atomic_write(csv) as path:
        frame.round(4).to_csv(path, index=False, lineterminator="\n")
    write_text(md, to_markdown(_grid(frame, spec)))


def build_gains(spec: Mapping[str, Any]) -> pd.DataFrame:
    """Return one row per comparison, with the columns `COLUMNS`.

    `gain` is in points of kNN top-1 accuracy: the mean over tasks, equally weighted, of trained
    less random init, seeds averaged. `low` and `high` bound its 95 % interval by paired bootstrap
    over samples. `status` is measured, scaled or, where a file is missing, not-run.

    Raises:
        UserError: Trained and random init were not evaluated on the same samples.
    """
    records = [_record(spec, comparison) for comparison in spec["comparisons"]]
    return pd.DataFrame.from_records(records, columns=list(COLUMNS)).astype(_DTYPES)


def _record(spec: Mapping[str, Any], comparison: Mapping[str, Any]) -> dict[str, Any]:
    tasks = comparison["tasks"]
    record = {
        "study": spec["study"],
        "row": comparison["row"],
        "modality": comparison["modality"],
        "pretrained_on": comparison["pretrained_on"],
        "tasks": " ".join(task["task"] for task in tasks),
    }
    files = [path for task in tasks for side in _sides(task) for path in side]
    complete = bool(tasks) and all(side for task in tasks for side in _sides(task))
    if not complete or not all(Path(path).is_file() for path in files):
        return record | {"n_seeds": 0, "status": "not-run"}
    pairs = [_correct(task) for task in tasks]
    before, after = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
    gain, low, high = paired_bootstrap(before, after, resamples=_RESAMPLES, seed=_SEED)
    return record | {
        "n_seeds": min(len(correct) for correct in after),
        "n_eval": sum(correct.shape[1] for correct in after),
        "gain": gain,
        "low": low,
        "high": high,
        "excludes_zero": low > 0 or high < 0,
        "status": "measured" if spec["scale"] == "paper" else "scaled",
    }


def _sides(task: Mapping[str, Any]) -> tuple[Sequence[str], Sequence[str]]:
    return task["random_init"], task["trained"]


def _correct(task: Mapping[str, Any]) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Return (seeds, samples) of whether random init and trained were right."""
    sides = [[_samples(path, task["task"]) for path in side] for side in _sides(task)]
    first = sides[0][0]
    for samples in (*sides[0], *sides[1]):
        if not samples[["position", "label"]].equals(first[["position", "label"]]):
            raise UserError(
                f"{samples.attrs['path']} and {first.attrs['path']} hold other samples of "
                f"{task['task']}; a gain needs both evaluated on the same ones."
            )
    before, after = (
        np.stack([(x["prediction"] == x["label"]).to_numpy() for x in side]) for side in sides
    )
    return before, after


def _samples(path: str | Path, task: str) -> pd.DataFrame:
    frame = read_predictions(read_metric(path, task=task, protocol=_PROTOCOL))
    frame.attrs["path"] = str(path)
    return frame


def _grid(frame: pd.DataFrame, spec: Mapping[str, Any]) -> Grid:
    header = ("row", "modality", "pretrained on it", "tasks", "n_eval", "gain", "95 % interval")
    rows = tuple(_grid_row(record) for record in frame.to_dict("records"))
    legend = (
        "Gain: points of kNN top-1 accuracy over the same encoder at random, mean over tasks; "
        f"the interval is a paired bootstrap over samples ({_RESAMPLES} resamples, seeds averaged)."
    )
    return Grid(
        title=f"{spec['study']}: gain over random init{scale_mark(spec)}",
        header=(*header, "excludes 0"),
        rows=rows,
        footer=(),
        notes=(legend, *scale_notes(spec)),
    )


def _grid_row(record: Mapping[Any, Any]) -> tuple[str, ...]:
    yes = {True: "yes", False: "no"}
    named = (record["row"], record["modality"], yes[record["pretrained_on"]], record["tasks"])
    if record["status"] == "not-run":
        return (*named, "—", "not run", "—", "—")
    dagger = "†" if record["status"] == "scaled" else ""
    gain = f"{record['gain']:+.2f}{dagger}"
    interval = f"{record['low']:+.2f} to {record['high']:+.2f}{dagger}"
    return (*named, str(record["n_eval"]), gain, interval, yes[record["excludes_zero"]])
