"""Measure the gain from one cell to another on the same samples, paired over samples and seeds."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fedssl.errors import UserError
from fedssl.evaluation.statistics import paired_bootstrap
from fedssl.paper.metrics import read_metric, read_samples
from fedssl.paper.table_footers import EMPTY
from fedssl.paper.verdict import Verdict

COLUMNS = ("n_seeds", "n_eval", "gain", "low", "high", "interval_over", "excludes_zero")
HEADER = ("samples", "gain, points", "95 % interval, points", "excludes 0")
# pandas would write counts and booleans next to missing values as floats and objects.
_DTYPES = {
    **dict.fromkeys(("n_seeds", "n_eval"), "Int64"),
    **dict.fromkeys(("gain", "low", "high"), "float64"),
    "excludes_zero": "boolean",
}
_RESAMPLES = 10_000
# Fixed, because the audit must get the same bounds again.
_SEED = 0
ONE_SEED, SEEDS = "samples of one seed", "samples and seeds"
# Each with `task`, score files `before` and `after`, and their protocols if not the usual one.
Tasks = Sequence[Mapping[str, Any]]
Comparison = tuple[dict[str, Any], Tasks]  # the first columns of a row, and what it compares


def frame(
    comparisons: Iterable[Comparison], columns: Sequence[str], *, protocol: str, scale: str
) -> pd.DataFrame:
    """Return one row per comparison: its first columns, the gain and the status.

    Raises:
        UserError: Before and after were not evaluated on the same samples.
    """
    done = "measured" if scale == "paper" else Verdict.SCALED
    records = []
    for record, tasks in comparisons:
        gain = measure(tasks, protocol=protocol)
        if gain is None:
            records.append(record | {"n_seeds": 0, "status": Verdict.NOT_RUN})
        else:
            records.append(record | gain | {"status": done})
    return pd.DataFrame.from_records(records, columns=list(columns)).astype(_DTYPES)


def measure(tasks: Tasks, *, protocol: str) -> dict[str, Any] | None:
    """Return the columns `COLUMNS` of a gain; None if a score file is missing.

    `gain` is in points: the mean over tasks, with equal weights, of after minus before, averaged
    over seeds. `low` and `high` bound its 95 % interval, from a paired bootstrap over samples and
    from the spread of the seeds' gains. With one seed the interval is over its samples only;
    `interval_over` says so.

    Args:
        tasks: Name and score files of each task. `before` and `after` list one file per seed, in
            the same order; `protocols` may give either side a protocol of its own.
        protocol: Protocol of the other score files.

    Raises:
        UserError: Before and after were not evaluated on the same samples.
    """
    sides = [side for task in tasks for side in (task["before"], task["after"])]
    if not sides or not all(sides) or not all(Path(path).is_file() for s in sides for path in s):
        return None
    # All cells of a seed share their shards, so the gain of each seed is a paired difference.
    pairs = [_correct(task, protocol=protocol) for task in tasks]
    before, after = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
    gain, low, high = paired_bootstrap(before, after, resamples=_RESAMPLES, seed=_SEED)
    n_seeds = len(after[0])
    return {
        "n_seeds": n_seeds,
        "n_eval": sum(correct.shape[1] for correct in after),
        "gain": gain,
        "low": low,
        "high": high,
        "interval_over": SEEDS if n_seeds > 1 else ONE_SEED,
        "excludes_zero": low > 0 or high < 0,
    }


def metric_files(tasks: Iterable[Mapping[str, Any]]) -> list[str]:
    """Return the score files of both sides of tasks, sorted and without repetitions."""
    return sorted({path for task in tasks for path in (*task["before"], *task["after"])})


def interval_note(n_seeds: int) -> str:
    """Return a sentence on what the intervals of a table cover, given its number of seeds."""
    samples = f"paired bootstrap over samples, {_RESAMPLES:,} resamples"
    if n_seeds < 2:
        return (
            f"With one seed the 95 % interval is over the samples of this seed only ({samples}) "
            "and says nothing about other seeds."
        )
    return (
        f"The 95 % interval covers samples and seeds: {samples}, and Student's t over the gains of "
        "the seeds, with half-widths added in quadrature."
    )


def gain_texts(record: Mapping[Any, Any]) -> tuple[str, str, str, str]:
    """Return the texts of a row for the columns `HEADER`."""
    if record["status"] == Verdict.NOT_RUN:
        return EMPTY, "not run", EMPTY, EMPTY
    dagger = "†" if record["status"] == Verdict.SCALED else ""
    gain = f"{record['gain']:+.2f}{dagger}"
    interval = f"{record['low']:+.2f} to {record['high']:+.2f}{dagger}"
    return str(record["n_eval"]), gain, interval, "yes" if record["excludes_zero"] else "no"


def _correct(
    task: Mapping[str, Any], *, protocol: str
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Return whether before and after predicted each sample correctly, (seeds, samples) each."""
    own = {"before": protocol, "after": protocol} | task.get("protocols", {})
    before, after = (
        [_samples(path, task["task"], protocol=own[side]) for path in task[side]]
        for side in ("before", "after")
    )
    first = before[0]
    for samples in (*before, *after):
        if not samples[["position", "label"]].equals(first[["position", "label"]]):
            raise UserError(
                f"{samples.attrs['path']} and {first.attrs['path']} hold different samples of "
                f"{task['task']}; evaluate both cells again on the same samples."
            )
    stacked = (np.stack([x["correct"].to_numpy() for x in side]) for side in (before, after))
    return next(stacked), next(stacked)


def _samples(path: str | Path, task: str, *, protocol: str) -> pd.DataFrame:
    frame = read_samples(read_metric(path, task=task, protocol=protocol))
    frame.attrs["path"] = str(path)  # for the message of `_correct`
    return frame
