"""Average the score files of several seeds and tasks to one measured number."""

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
    """A mean over seeds of an average over tasks.

    Attributes:
        value: The mean, in percent. With the protocol `chosen-round`, the number of a round.
        std: Standard deviation over seeds, in points; None for one seed.
        n_seeds: Number of seeds.
        n_eval: Number of samples, summed over tasks.
        interval: 95 % interval over samples and seeds, in percent; None for the number of a round.
        error: Standard error over samples alone, in points; None for the number of a round.
        seeds: Value of each seed.
        models: Model files of each seed.
        scores: Score file of each seed and task.
        cells: For each seed, the paths that Snakemake must force to rerun it.
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
    """Return the mean over the seeds that have a score for every task; None if no seed has.

    Args:
        cells: One entry per seed with `seed`, `cell` (paths of its models) and `metrics`
            (protocol -> task -> score file).
        protocol: Protocol of the score files to read.
        tasks: Tasks to average. Without a task there is no number.

    Raises:
        UserError: A score file is of another task or protocol, or the seeds were scored on
            different numbers of samples.
    """
    # A seed that lacks one task is left out: its average would be over other tasks.
    done = [(cell, paths) for cell in cells if (paths := _scores(cell, protocol, tasks=tasks))]
    if not done:
        return None
    metrics = [
        [read_metric(path, task=task, protocol=protocol) for task, path in paths.items()]
        for _, paths in done
    ]
    averages = [mean(metric.value for metric in seed) for seed in metrics]
    by_task = list(zip(*metrics, strict=True))
    n_evals = [_common_n_eval(task) for task in by_task]
    means = [mean(metric.value for metric in task) for task in by_task]
    interval = partial(accuracy_interval, means, n_evals)
    is_round = protocol == "chosen-round"
    return Measurement(
        value=mean(averages),
        std=stdev(averages) if len(averages) > 1 else None,
        n_seeds=len(averages),
        n_eval=sum(n_evals),
        interval=None if is_round else interval(averages_over_seeds=averages),
        error=None if is_round else _standard_error(*interval(averages_over_seeds=[])),
        seeds={str(cell["seed"]): v for (cell, _), v in zip(done, averages, strict=True)},
        models={str(cell["seed"]): (cell["cell"] or "").split() for cell, _ in done},
        scores={str(cell["seed"]): paths for cell, paths in done},
        # Random init has no model to force, so its score files are forced instead.
        cells=tuple(cell["cell"] or " ".join(paths.values()) for cell, paths in done),
    )


def _standard_error(low: float, high: float) -> float:
    """Return the standard error that gives the 95 % interval from low to high."""
    return (high - low) / 2 / critical()


def _scores(cell: Mapping[str, Any], protocol: str, *, tasks: Sequence[str]) -> dict[str, str]:
    """Return task -> score file; empty if a file is missing."""
    known = cell["metrics"].get(protocol, {})
    paths = {task: Path(known[task]) for task in tasks if task in known}
    complete = len(paths) == len(tasks) and all(path.is_file() for path in paths.values())
    return {task: str(path) for task, path in paths.items()} if complete else {}


def _common_n_eval(metrics: Sequence[Metric]) -> int:
    first, *others = metrics
    for other in others:
        if other.n_eval != first.n_eval:
            raise UserError(
                f"{other.path} counts {other.n_eval} samples and {first.path} {first.n_eval}; "
                "seeds of one number must be evaluated on the same samples."
            )
    return first.n_eval
