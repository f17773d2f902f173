"""How sure a measured accuracy or gain is: intervals over samples and seeds."""

from collections.abc import Sequence
from math import inf, sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

ALPHA = 0.05  # of a 95 % interval


def critical(alpha: float = ALPHA, *, degrees: float = inf) -> float:
    """Return Student's two-sided quantile; with infinite degrees of freedom the normal one."""
    return float(stdtrit(degrees, 1 - alpha / 2))


def seed_half_width(values_over_seeds: Sequence[float], *, alpha: float = ALPHA) -> float:
    """Return the half-width t s / sqrt(k) of a mean over k seeds, t of k - 1 degrees of freedom.

    0 for one seed, which says nothing of others.
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
    """Return the 95 % interval, in percent, of an average of several tasks' accuracies.

    Over samples it is Wilson's of each task. Tasks have their own samples, so their distances from
    the value add in squares (Zou and Donner 2008), as does the half-width over seeds, which share
    the samples. It never leaves 0 to 100.
    """
    values = np.asarray(values_percent, dtype=np.float64)
    low, high = _wilson(values / 100, np.asarray(n_evals))
    value, seeds = values.mean(), seed_half_width(averages_over_seeds)
    below, above = (np.hypot(_averaged(end - values), seeds) for end in (low, high))
    return max(0.0, float(value - below)), min(100.0, float(value + above))


def _wilson(
    p: NDArray[np.float64], n: NDArray[np.integer[Any]]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return Wilson's 95 % interval, in percent, of shares `p` of `n` samples."""
    z = critical()
    centre = (p + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z * np.sqrt(p * (1 - p) / n + z**2 / (4 * n**2)) / (1 + z**2 / n)
    return 100 * (centre - half), 100 * (centre + half)


def _averaged(distances: NDArray[np.float64]) -> float:
    """Return the distance of a mean from independent distances of its parts."""
    return float(np.sqrt(np.sum(distances**2)) / len(distances))


def paired_bootstrap(
    correct_a: Sequence[NDArray[Any]],
    correct_b: Sequence[NDArray[Any]],
    *,
    resamples: int,
    seed: int,
) -> tuple[float, float, float]:
    """Return the gain of b over a and its 95 % interval, in points.

    The gain is the mean over tasks, equally weighted, of the difference in accuracy. Over samples
    the interval is a percentile bootstrap: they are resampled in pairs within each task, seeds
    averaged. The half-width of the seeds' own gains is added to it in squares.

    Args:
        correct_a: Per task, whether each sample was right: (samples,) or (seeds, samples).
        correct_b: The same samples in the same order, and the same seeds.
        resamples: Number of bootstrap resamples.
        seed: Of the resampling; each task draws its own stream.

    Raises:
        ValueError: a and b have other tasks, seeds or samples, or a task has none.
    """
    differences = [_difference(a, b) for a, b in zip(correct_a, correct_b, strict=True)]
    if not differences:
        raise ValueError("A gain needs at least one task; none was given.")
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
    """Return each seed's gain on each sample: (seeds, samples)."""
    after, before = (np.atleast_2d(np.asarray(side, dtype=np.float64)) for side in (b, a))
    if after.shape != before.shape or after.size == 0:
        pairs = " with ".join("{} seeds of {}".format(*side.shape) for side in (before, after))
        raise ValueError(f"A task pairs {pairs} samples.")
    difference: NDArray[np.float64] = after - before
    return difference


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
