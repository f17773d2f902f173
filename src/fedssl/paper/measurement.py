"""Average the score files of several seeds and tasks to one measured number."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import mean, stdev
from typing import Any

from fedssl.errors import UserError
from fedssl.evaluation.statistics import accuracy_interval, critical
from fedssl.paper.metrics import Metric, read_metric
from fedssl.paper.seeds import Seeds


def measure(
    cells: Sequence[Mapping[str, Any]],
    protocol: str,
    *,
    tasks: Sequence[str],
    row: str,
    column: str,
) -> tuple[dict[str, Any], Seeds] | None:
    """Return the mean over seeds of an average over tasks, and the seeds of that row and column.

    The mean is a dict with these columns of a table's CSV: measured, std, n_seeds, n_eval, low,
    high, cell, chance, random_init and flags. Values are percent, and `std` is None for one seed.
    The number of a round (chosen-round) has no interval. None if no seed has a score for every
    task.

    Each entry of `cells` is a seed with `seed`, `cell` (paths of its models), `metrics` (protocol
    -> task -> score file) and, if it was trained, `random_init`: the same for its random start.

    Raises:
        UserError: A score file is of another task or protocol, or the seeds were scored on
            different numbers of samples.
    """
    # A seed that lacks one task is left out: its average would be over other tasks.
    done = [
        (cell, own) for cell in cells if (own := _metrics(cell["metrics"], protocol, tasks=tasks))
    ]
    if not done:
        return None
    metrics = {str(cell["seed"]): own for cell, own in done}
    values = {seed: mean(metric.value for metric in own) for seed, own in metrics.items()}
    paths = {seed: [str(metric.path) for metric in own] for seed, own in metrics.items()}
    models = {str(cell["seed"]): (cell["cell"] or "").split() for cell, _ in done}
    scores = {seed: dict(zip(tasks, own, strict=True)) for seed, own in paths.items()}
    record, error = _statistics(list(values.values()), list(zip(*metrics.values(), strict=True)))
    # Random init has no model that Snakemake could force, so its score files are forced.
    record["cell"] = " ".join(" ".join(models[seed] or paths[seed]) for seed in metrics)
    before = _random_init([cell for cell, _ in done], protocol, tasks=tasks)
    record["random_init"] = mean(before.values()) if before else None
    seeds = Seeds(row, column, error, values, models=models, scores=scores, random_init=before)
    return record, seeds


def _statistics(
    values: Sequence[float], by_task: Sequence[Sequence[Metric]]
) -> tuple[dict[str, Any], float | None]:
    """Return the statistics of the seeds' values, and the standard error over samples alone."""
    n_evals = [_common_n_eval(metrics) for metrics in by_task]
    low, high, error = None, None, None
    # The number of a round is not an accuracy, and Wilson's interval needs one.
    if not by_task[0][0].is_round:
        means = [mean(metric.value for metric in metrics) for metrics in by_task]
        low, high = accuracy_interval(means, n_evals, averages_over_seeds=values)
        over_samples = accuracy_interval(means, n_evals, averages_over_seeds=[])
        error = (over_samples[1] - over_samples[0]) / 2 / critical()
    return {
        "measured": mean(values),
        "std": stdev(values) if len(values) > 1 else None,
        "n_seeds": len(values),
        "n_eval": sum(n_evals),
        "low": low,
        "high": high,
        "chance": _chance([metric for metrics in by_task for metric in metrics]),
        "flags": " ".join(sorted({flag for m in by_task for metric in m for flag in metric.flags})),
    }, error


def _chance(metrics: Sequence[Metric]) -> float | None:
    """Return the mean accuracy of guessing; None if a score file does not have it."""
    known = [metric.chance for metric in metrics if metric.chance is not None]
    return mean(known) if len(known) == len(metrics) else None


def _random_init(
    cells: Sequence[Mapping[str, Any]], protocol: str, *, tasks: Sequence[str]
) -> dict[str, float]:
    """Return the value of each seed before training; empty if a seed has no such score."""
    found = {
        str(cell["seed"]): _metrics(cell.get("random_init", {}), protocol, tasks=tasks)
        for cell in cells
    }
    if not all(found.values()):
        return {}
    return {seed: mean(metric.value for metric in own) for seed, own in found.items()}


def _metrics(
    scores: Mapping[str, Mapping[str, str]], protocol: str, *, tasks: Sequence[str]
) -> list[Metric]:
    """Return the metric of each task of a seed; empty if a score file is missing."""
    known = scores.get(protocol, {})
    paths = {task: Path(known[task]) for task in tasks if task in known}
    if len(paths) < len(tasks) or not all(path.is_file() for path in paths.values()):
        return []
    return [read_metric(path, task=task, protocol=protocol) for task, path in paths.items()]


def _common_n_eval(metrics: Sequence[Metric]) -> int:
    first, *others = metrics
    for other in others:
        if other.n_eval != first.n_eval:
            raise UserError(
                f"{other.path} counts {other.n_eval} samples and {first.path} {first.n_eval}; "
                "seeds of one number must be evaluated on the same samples."
            )
    return first.n_eval
