"""Compute 95 % intervals of accuracies and gains, over samples and seeds."""

from collections.abc import Sequence
from math import inf, sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

ALPHA = 0.05
"""Share of cases that a 95 % interval misses."""


def critical(alpha: float = ALPHA, *, degrees: float = inf) -> float:
    """Return the two-sided quantile of Student's t, or of the normal distribution by default."""
    # Imported here because it takes a third of a second, and planning imports this module.
    from scipy.special import stdtrit

    return float(stdtrit(degrees, 1 - alpha / 2))


def seed_half_width(values_over_seeds: Sequence[float], *, alpha: float = ALPHA) -> float:
    """Return the half-width of the interval of a mean over k seeds.

    It is t s / sqrt(k), where t has k - 1 degrees of freedom. It is 0 for a single seed, whose
    spread is unknown.
    """
    k = len(values_over_seeds)
    if k < 2:
        return 0.0
    spread = float(np.std(np.asarray(values_over_seeds, dtype=np.float64), ddof=1))
    return critical(alpha, degrees=k - 1) * spread / sqrt(k)


def accuracy_interval(
    values_percent: Sequence[float],
    n_evals: Sequence[int],
    *,
    averages_over_seeds: Sequence[float],
) -> tuple[float, float]:
    """Return the 95 % interval of the average accuracy of several tasks, in percent.

    It combines the Wilson interval of each task, over samples, and the half-width over seeds.

    Args:
        values_percent: accuracy of each task, averaged over seeds.
        n_evals: number of scored samples of each task.
        averages_over_seeds: average over tasks, for each seed.
    """
    # Wilson's interval stays within 0 to 100 %, unlike the normal one. The distances of its ends
    # from the value are combined by the root of their squares (Zou and Donner 2008), because the
    # samples of different tasks are independent. The spread over seeds is independent of them too.
    values = np.asarray(values_percent, dtype=np.float64)
    low, high = _wilson(values / 100, np.asarray(n_evals))
    value, seeds = values.mean(), seed_half_width(averages_over_seeds)
    below, above = (np.hypot(_averaged(end - values), seeds) for end in (low, high))
    return max(0.0, float(value - below)), min(100.0, float(value + above))


def _wilson(
    p: NDArray[np.float64], n: NDArray[np.integer[Any]]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the Wilson intervals of proportions `p` of `n` samples, in percent."""
    z = critical()
    centre = (p + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z * np.sqrt(p * (1 - p) / n + z**2 / (4 * n**2)) / (1 + z**2 / n)
    return 100 * (centre - half), 100 * (centre + half)


def _averaged(distances: NDArray[np.float64]) -> float:
    """Return the distance of a mean, given the independent distances of its parts."""
    return float(np.sqrt(np.sum(distances**2)) / len(distances))


def paired_bootstrap(
    correct_a: Sequence[NDArray[Any]],
    correct_b: Sequence[NDArray[Any]],
    *,
    resamples: int,
    seed: int,
) -> tuple[float, float, float]:
    """Return the gain of b over a and the ends of its 95 % interval, in percentage points.

    The gain is the difference in accuracy, averaged over tasks with equal weights. The interval
    combines a percentile bootstrap over samples and the half-width over seeds.

    Args:
        correct_a: for each task, whether each sample is correct, (samples,) or (seeds, samples).
        correct_b: the same for b, with the samples and the seeds in the same order.
        resamples: number of bootstrap resamples.
        seed: seed of the resampling; each task has its own stream.

    Raises:
        ValueError: a and b differ in tasks, seeds or samples, or a task has no samples.
    """
    # Both models see the same samples, so resample the differences of pairs. Most samples are easy
    # or hard for both, and the interval of the pairs is much narrower than that of two accuracies.
    differences = [_difference(a, b) for a, b in zip(correct_a, correct_b, strict=True)]
    if not differences:
        raise ValueError("A gain needs at least one task, but none was given.")
    streams = np.random.SeedSequence(seed).spawn(len(differences))
    means = [
        _resampled_means(difference.mean(axis=0), resamples, rng=np.random.default_rng(stream))
        for difference, stream in zip(differences, streams, strict=True)
    ]
    low, high = np.percentile(np.mean(means, axis=0), [2.5, 97.5])
    gains = np.mean([difference.mean(axis=1) for difference in differences], axis=0)
    gain, seeds = gains.mean(), seed_half_width(gains)
    below, above = np.hypot(gain - low, seeds), np.hypot(high - gain, seeds)
    return float(100 * gain), float(100 * (gain - below)), float(100 * (gain + above))


def _difference(a: NDArray[Any], b: NDArray[Any]) -> NDArray[np.float64]:
    """Return the gain of each seed on each sample, (seeds, samples): -1, 0 or 1."""
    after, before = (np.atleast_2d(np.asarray(side, dtype=np.float64)) for side in (b, a))
    if after.shape != before.shape or after.size == 0:
        pairs = " with ".join("{} seeds of {}".format(*side.shape) for side in (before, after))
        raise ValueError(f"A task pairs {pairs} samples.")
    difference: NDArray[np.float64] = after - before
    return difference


def _resampled_means(
    difference: NDArray[np.float64], resamples: int, *, rng: np.random.Generator
) -> NDArray[np.float64]:
    """Return the means of `resamples` samples drawn with replacement."""
    # A mean depends only on how often each distinct gain is drawn, and these counts are
    # multinomial. Drawing indices would need an array of (resamples, samples).
    gains, counts = np.unique(difference, return_counts=True)
    drawn = rng.multinomial(difference.size, counts / difference.size, size=resamples)
    means: NDArray[np.float64] = drawn @ gains / difference.size
    return means
