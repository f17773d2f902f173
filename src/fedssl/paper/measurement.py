"""One measured number: metric files of several seeds and tasks, averaged."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import mean, stdev
from typing import Any

from fedssl.errors import UserError
from fedssl.evaluation.statistics import accuracy_interval, critical
from fedssl.paper.metrics import Metric, read_metric


@dataclass(frozen=True)
class Measurement:
    """A mean over seeds of an average over tasks, in percent and points.

    `std` is over seeds, None for one; `n_eval` counts the samples of all tasks; `interval` is the
    95 % interval over samples and seeds and `error` the standard error over samples alone, both
    None for the number of a round, which is no accuracy. `seeds` has each seed's value, `models`
    and `scores` the files behind it, and `cells` a path to rerun per seed.
    """

    value: float
    std: float | None
    n_seeds: int
    n_eval: int
    interval: tuple[float, float] | None
    error: float | None
    seeds: Mapping[str, float]
    models: Mapping[str, list[str]]
    scores: Mapping[str, Mapping[str, str]]
    cells: tuple[str, ...]

    @property
    def half_width(self) -> float | None:
        """Half of the interval's width, in points."""
        return None if self.interval is None else (self.interval[1] - self.interval[0]) / 2


def measure(
    cells: Sequence[Mapping[str, Any]], protocol: str, *, tasks: Sequence[str]
) -> Measurement | None:
    """Return the mean over the seeds that have every task; None where no seed has.

    Args:
        cells: One per seed: the seed, its path, and its metric file per protocol and task.
        protocol: Which metric files to read.
        tasks: What to average; no task gives no number.

    Raises:
        UserError: A metric file holds something else, or seeds were scored on other samples.
    """
    found = [(cell, _metric_paths(cell, protocol, tasks=tasks)) for cell in cells]
    complete = [(cell, paths) for cell, paths in found if paths]
    if not complete:
        return None
    seeds = [
        [read_metric(path, task=t, protocol=protocol) for t, path in zip(tasks, paths, strict=True)]
        for _, paths in complete
    ]
    by_task = list(zip(*seeds, strict=True))
    averages = [mean(metric.value for metric in metrics) for metrics in seeds]
    n_evals = [_common_n_eval(metrics) for metrics in by_task]
    means = [mean(metric.value for metric in metrics) for metrics in by_task]
    interval = partial(accuracy_interval, means, n_evals)
    is_round = protocol == "chosen-round"
    return Measurement(
        value=mean(averages),
        std=stdev(averages) if len(averages) > 1 else None,
        n_seeds=len(averages),
        n_eval=sum(n_evals),
        interval=None if is_round else interval(averages_over_seeds=averages),
        error=None if is_round else _error(*interval(averages_over_seeds=[])),
        seeds={str(cell["seed"]): v for (cell, _), v in zip(complete, averages, strict=True)},
        models={str(cell["seed"]): (cell["cell"] or "").split() for cell, _ in complete},
        scores={
            str(cell["seed"]): dict(zip(tasks, map(str, paths), strict=True))
            for cell, paths in complete
        },
        # Random init has no cell: its metric files are what can be rerun.
        cells=tuple(cell["cell"] or " ".join(map(str, paths)) for cell, paths in complete),
    )


def _error(low: float, high: float) -> float:
    """Return the standard error behind an interval over samples."""
    return (high - low) / 2 / critical()


def _metric_paths(cell: Mapping[str, Any], protocol: str, *, tasks: Sequence[str]) -> list[Path]:
    """Return one existing metric file per task, or nothing where one is missing."""
    known = cell["metrics"].get(protocol, {})
    paths = [Path(known[task]) for task in tasks if task in known]
    return paths if len(paths) == len(tasks) and all(path.is_file() for path in paths) else []


def _common_n_eval(metrics: Sequence[Metric]) -> int:
    first, *others = metrics
    for other in others:
        if other.n_eval != first.n_eval:
            raise UserError(
                f"{other.path} counts {other.n_eval} samples and {first.path} {first.n_eval}; "
                "seeds of one number must be evaluated on the same samples."
            )
    return first.n_eval
