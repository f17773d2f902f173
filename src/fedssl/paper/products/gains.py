"""What pretraining is worth: each row's accuracy over the same encoder at random."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from fedssl.files import atomic_write, write_text
from fedssl.paper import paired_gain
from fedssl.paper.markup import Grid, scale_mark, scale_notes, to_markdown

COLUMNS = ("study", "row", "modality", "pretrained_on", "tasks", *paired_gain.COLUMNS, "status")
_PROTOCOL = "knn"


def write_gains(spec: Mapping[str, Any], *, csv: str | Path, md: str | Path) -> None:
    """Write the gains over random init as CSV (rounded to four decimals) and Markdown."""
    frame = build_gains(spec)
    with atomic_write(csv) as path:
        frame.round(4).to_csv(path, index=False, lineterminator="\n")
    write_text(md, to_markdown(_grid(frame, spec)))


def build_gains(spec: Mapping[str, Any]) -> pd.DataFrame:
    """Return one row per comparison, with the columns `COLUMNS`.

    `gain` is in points of kNN top-1 accuracy: the mean over tasks, equally weighted, of trained
    less random init, and its interval as `paired_gain.measure` gives them. `status` is measured,
    scaled or, where a file is missing, not-run.

    Raises:
        UserError: Trained and random init were not evaluated on the same samples.
    """
    records = [_record(spec, comparison) for comparison in spec["comparisons"]]
    return pd.DataFrame.from_records(records, columns=list(COLUMNS)).astype(paired_gain.DTYPES)


def _record(spec: Mapping[str, Any], comparison: Mapping[str, Any]) -> dict[str, Any]:
    record = {
        "study": spec["study"],
        "row": comparison["row"],
        "modality": comparison["modality"],
        "pretrained_on": comparison["pretrained_on"],
        "tasks": " ".join(task["task"] for task in comparison["tasks"]),
    }
    gain = paired_gain.measure(comparison["tasks"], protocol=_PROTOCOL)
    if gain is None:
        return record | {"n_seeds": 0, "status": "not-run"}
    return record | gain | {"status": "measured" if spec["scale"] == "paper" else "scaled"}


def _grid(frame: pd.DataFrame, spec: Mapping[str, Any]) -> Grid:
    header = ("row", "modality", "pretrained on it", "tasks", *paired_gain.HEADER)
    rows = tuple(_grid_row(record) for record in frame.to_dict("records"))
    legend = "Gain: points of kNN top-1 accuracy over the same encoder at random, mean over tasks."
    interval = paired_gain.interval_note(max(frame["n_seeds"], default=0))
    return Grid(
        title=f"{spec['study']}: gain over random init{scale_mark(spec)}",
        header=header,
        rows=rows,
        footer=(),
        notes=(legend, interval, *scale_notes(spec)),
    )


def _grid_row(record: Mapping[Any, Any]) -> tuple[str, ...]:
    trained = "yes" if record["pretrained_on"] else "no"
    named = (record["row"], record["modality"], trained, record["tasks"])
    return (*named, *paired_gain.gain_texts(record))
