"""How sure a measured accuracy is: half-widths over samples and seeds, paired bootstrap."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

_NORMAL_95 = 1.96  # two-sided 95 % quantile of the normal distribution


def half_width(value_percent: float, n_eval: int, *, values_over_seeds: Sequence[float]) -> float:
    """Return the 95 % half-width of one accuracy, in points.

    1.96 sqrt(p (1 - p) / n + s^2 / k): p over n binomial samples, s the standard deviation over
    k seeds (0 for one seed). Seeds share the evaluation samples, so the first term is undivided.
    """
    return average_half_width([value_percent], [n_eval], averages_over_seeds=values_over_seeds)


def average_half_width(
    values_percent: Sequence[float],
    n_evals: Sequence[int],
    *,
    averages_over_seeds: Sequence[float],
) -> float:
    """Return the 95 % half-width, in points, of an average of several tasks' accuracies.

    Tasks have their own samples, so the binomial variances add: sum_t p_t (1 - p_t) / n_t / T^2.
    """
    p = np.asarray(values_percent, dtype=np.float64) / 100
    sampling = np.sum(p * (1 - p) / np.asarray(n_evals)) / len(p) ** 2
    seeds = np.asarray(averages_over_seeds, dtype=np.float64) / 100
    spread = np.var(seeds, ddof=1) / len(seeds) if len(seeds) > 1 else 0.0
    return float(100 * _NORMAL_95 * np.sqrt(sampling + spread))


def paired_bootstrap(
    correct_a: Sequence[NDArray[Any]],
    correct_b: Sequence[NDArray[Any]],
    *,
    resamples: int,
    seed: int,
) -> tuple[float, float, float]:
    """Return the gain of b over a and its percentile 95 % interval, in points.

    The gain is the mean over tasks, equally weighted, of the difference in accuracy. Samples are
    resampled in pairs within each task; seeds of one task are resampled together and averaged.

    Args:
        correct_a: Per task, whether each sample was right: (samples,) or (seeds, samples).
        correct_b: The same samples in the same order; the number of seeds may differ.
        resamples: Number of bootstrap resamples.
        seed: Of the resampling; each task draws its own stream.

    Raises:
        ValueError: a and b have other tasks or samples, or a task has none.
    """
    differences = [_difference(a, b) for a, b in zip(correct_a, correct_b, strict=True)]
    if not differences:
        raise ValueError("A gain needs at least one task; none was given.")
    streams = np.random.SeedSequence(seed).spawn(len(differences))
    means = [
        _resampled_means(difference, resamples, rng=np.random.default_rng(stream))
        for difference, stream in zip(differences, streams, strict=True)
    ]
    gain = np.mean([difference.mean() for difference in differences])
    low, high = np.percentile(np.mean(means, axis=0), [2.5, 97.5])
    return float(100 * gain), float(100 * low), float(100 * high)


def _difference(a: NDArray[Any], b: NDArray[Any]) -> NDArray[np.float64]:
    """Return each sample's gain, averaged over seeds."""
    mean_a, mean_b = _mean_over_seeds(a), _mean_over_seeds(b)
    if mean_a.shape != mean_b.shape or mean_a.size == 0:
        raise ValueError(f"A task pairs {mean_a.size} with {mean_b.size} samples.")
    difference: NDArray[np.float64] = mean_b - mean_a
    return difference


def _mean_over_seeds(correct: NDArray[Any]) -> NDArray[np.float64]:
    mean: NDArray[np.float64] = np.atleast_2d(np.asarray(correct, dtype=np.float64)).mean(axis=0)
    return mean


def _resampled_means(
    difference: NDArray[np.float64], resamples: int, *, rng: np.random.Generator
) -> NDArray[np.float64]:
    """Return `resamples` means of samples drawn with replacement.

    A mean depends only on how often each distinct gain is drawn, which is multinomial: the same
    distribution as drawing indices, without the (resamples, samples) table.
    """
    gains, counts = np.unique(difference, return_counts=True)
    drawn = rng.multinomial(difference.size, counts / difference.size, size=resamples)
    means: NDArray[np.float64] = drawn @ gains / difference.size
    return means
