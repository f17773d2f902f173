"""What a change is worth: two cells on the same samples, paired over samples and seeds."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fedssl.errors import UserError
from fedssl.evaluation.statistics import paired_bootstrap
from fedssl.paper.metrics import read_metric, read_samples
from fedssl.paper.verdict import Verdict

COLUMNS = ("n_seeds", "n_eval", "gain", "low", "high", "interval_over", "excludes_zero")
HEADER = ("samples", "gain, points", "95 % interval, points", "excludes 0")
DTYPES = {
    "n_seeds": "Int64",
    "n_eval": "Int64",
    "gain": "float64",
    "low": "float64",
    "high": "float64",
    "excludes_zero": "boolean",
}
_RESAMPLES = 10_000
_SEED = 0
ONE_SEED, SEEDS = "samples of one seed", "samples and seeds"


def measure(tasks: Sequence[Mapping[str, Any]], *, protocol: str) -> dict[str, Any] | None:
    """Return `COLUMNS` of the gain from before to after; None where a file is missing.

    `gain` is in points of the protocol's accuracy: the mean over tasks, equally weighted, seeds
    averaged. `low` and `high` bound its 95 % interval, by paired bootstrap over samples and by the
    spread of the seeds' own gains; of one seed over its samples only, as `interval_over` says.
    Seeds are paired by their shards, which all cells of a seed share.

    Args:
        tasks: Each with its name `task` and metric files `before` and `after`, one a seed, in the
            same order.
        protocol: Which one the files are of.

    Raises:
        UserError: Before and after were not evaluated on the same samples.
    """
    sides = [side for task in tasks for side in (task["before"], task["after"])]
    if not sides or not all(sides) or not all(Path(path).is_file() for s in sides for path in s):
        return None
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
    """Return the metric files of both sides of tasks, sorted, each once."""
    return sorted({path for task in tasks for path in (*task["before"], *task["after"])})


def interval_note(n_seeds: int) -> str:
    """Return what the intervals of a table of so many seeds (0: none ran) cover, as a sentence."""
    samples = f"paired bootstrap over samples, {_RESAMPLES:,} resamples"
    if n_seeds < 2:
        return (
            f"With one seed the 95 % interval is over the samples of this seed only ({samples}) "
            "and says nothing of other seeds."
        )
    return (
        f"The 95 % interval is over samples and seeds: {samples}, and Student's t of the seeds' "
        "own gains, half-widths added in squares."
    )


def gain_texts(record: Mapping[Any, Any]) -> tuple[str, str, str, str]:
    """Return the texts below `HEADER`."""
    if record["status"] == Verdict.NOT_RUN:
        return "—", "not run", "—", "—"
    dagger = "†" if record["status"] == Verdict.SCALED else ""
    gain = f"{record['gain']:+.2f}{dagger}"
    interval = f"{record['low']:+.2f} to {record['high']:+.2f}{dagger}"
    return str(record["n_eval"]), gain, interval, "yes" if record["excludes_zero"] else "no"


def _correct(
    task: Mapping[str, Any], *, protocol: str
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Return (seeds, samples) of whether before and after were right."""
    before, after = (
        [_samples(path, task["task"], protocol=protocol) for path in task[side]]
        for side in ("before", "after")
    )
    first = before[0]
    for samples in (*before, *after):
        if not samples[["position", "label"]].equals(first[["position", "label"]]):
            raise UserError(
                f"{samples.attrs['path']} and {first.attrs['path']} hold other samples of "
                f"{task['task']}; a gain needs both evaluated on the same ones."
            )
    stacked = (np.stack([x["correct"].to_numpy() for x in side]) for side in (before, after))
    return next(stacked), next(stacked)


def _samples(path: str | Path, task: str, *, protocol: str) -> pd.DataFrame:
    frame = read_samples(read_metric(path, task=task, protocol=protocol))
    frame.attrs["path"] = str(path)
    return frame
