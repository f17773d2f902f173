"""Contrasts: the same cells but for one thing, task by task and on average."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from fedssl.files import atomic_write, write_text
from fedssl.paper import paired_gain
from fedssl.paper.markup import Grid, scale_mark, scale_notes, to_markdown
from fedssl.paper.published import PROTOCOL_LABELS

COLUMNS = ("study", "row", "task", *paired_gain.COLUMNS, "status")
AVERAGE = "mean"


def write_contrasts(spec: Mapping[str, Any], *, csv: str | Path, md: str | Path) -> None:
    """Write the contrasts as CSV (rounded to four decimals) and Markdown."""
    frame = build_contrasts(spec)
    with atomic_write(csv) as path:
        frame.round(4).to_csv(path, index=False, lineterminator="\n")
    write_text(md, to_markdown(contrasts_grid(frame, spec)))


def build_contrasts(spec: Mapping[str, Any]) -> pd.DataFrame:
    """Return one row per contrast and task, and one for the mean over tasks, with `COLUMNS`.

    A second split of a dataset has a row of its own and no part in the mean, which would else
    count its dataset twice.

    `gain` is after less before as `paired_gain.measure` gives it; `status` is measured, scaled
    or, where a cell has no score, not-run.

    Raises:
        UserError: Before and after were not evaluated on the same samples.
    """
    records = [record for row in spec["rows"] for record in _records(spec, row)]
    return pd.DataFrame.from_records(records, columns=list(COLUMNS)).astype(paired_gain.DTYPES)


def _records(spec: Mapping[str, Any], row: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    done = "measured" if spec["scale"] == "paper" else "scaled"
    groups = {task["task"]: [task] for task in row["tasks"]}
    averaged = [task for task in row["tasks"] if task["averaged"]]
    if len(averaged) > 1:
        groups[AVERAGE] = averaged
    for name, tasks in groups.items():
        record = {"study": spec["study"], "row": row["row"], "task": name}
        gain = paired_gain.measure(tasks, protocol=spec["protocol"])
        if gain is None:
            yield record | {"n_seeds": 0, "status": "not-run"}
        else:
            yield record | gain | {"status": done}


def contrasts_grid(frame: pd.DataFrame, spec: Mapping[str, Any]) -> Grid:
    """Return the contrasts as a table prints them, a row each."""
    rows = tuple(
        (record["row"], record["task"], *paired_gain.gain_texts(record))
        for record in frame.to_dict("records")
    )
    legend = f"Gain: points of {PROTOCOL_LABELS[spec['protocol']]}."
    mean = "A second split of a dataset is left out of the mean."
    interval = paired_gain.interval_note(max(frame["n_seeds"], default=0))
    return Grid(
        title=f"{spec['study']}: {spec['title']}{scale_mark(spec)}",
        header=("row", "task", *paired_gain.HEADER),
        rows=rows,
        footer=(),
        notes=(legend, mean, interval, *scale_notes(spec)),
    )
