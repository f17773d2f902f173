"""How far single seeds scatter: standard deviations pooled over cells.

A cell has few seeds, so its own standard deviation is hardly known. All cells of one task and
protocol share one, and tasks of one protocol borrow from each other.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import inf, isinf, log, sqrt
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

_FEWEST_TASKS = 3  # fewer say nothing about how much the variances of tasks differ


class Group(NamedTuple):
    """Cells that share one standard deviation; averaged tasks are one `task`, joined by spaces."""

    task: str
    protocol: str

    @property
    def family(self) -> tuple[str, bool]:
        """The groups to borrow from: an average scatters less than a task and borrows apart."""
        return self.protocol, " " in self.task


@dataclass(frozen=True)
class Series:
    """What the seeds of one model measured in one group: seed -> percent."""

    model: str
    group: Group
    values: Mapping[str, float]

    def minus(self, other: "Series") -> "Series":
        """Return the differences from another series, for the seeds that both have."""
        shared = {
            seed: value - other.values[seed]
            for seed, value in self.values.items()
            if seed in other.values
        }
        return replace(self, values=shared)


@dataclass(frozen=True)
class Spread:
    """A standard deviation of single seeds, and how well it is known.

    `seeds` is the mean number of seeds per cell behind `degrees`.
    """

    sd: float
    degrees: float
    seeds: float

    def with_seeds(self, seeds: int) -> "Spread":
        """Return the same deviation, known as well as `seeds` seeds of the same cells would."""
        return replace(self, degrees=self.degrees * (seeds - 1) / (self.seeds - 1), seeds=seeds)


@dataclass(frozen=True)
class SeedNoise:
    """How the seeds of all cells scatter.

    `total` is for a single cell. `paired` is for differences between models on the same seeds: what
    a seed does to all models is taken out of it. `correlation` is between the scores of one model
    on different tasks: a good seed of a model is good on several tasks.
    """

    total: Mapping[Group, Spread]
    paired: Mapping[Group, Spread]
    correlation: float


class _SumOfSquares(NamedTuple):
    squares: float
    degrees: int
    seeds: float


def fit_noise(series: Iterable[Series]) -> SeedNoise:
    """Return the scatter of seeds, estimated from all cells together.

    A series that several tables print counts once: the first with its model and group.
    """
    groups: dict[Group, dict[str, Series]] = {}
    for one in series:
        groups.setdefault(one.group, {}).setdefault(one.model, one)
    members = {group: list(models.values()) for group, models in groups.items()}
    residuals = {group: _block_residuals(own) for group, own in members.items()}
    total = moderated({group: _within_cells(own) for group, own in members.items()})
    paired = moderated({group: found.squares for group, found in residuals.items()})
    return SeedNoise(total, {**total, **paired}, _task_correlation(members, residuals))


def pooled_spreads(series: Iterable[Series]) -> dict[Group, Spread]:
    """Return the standard deviation of a seed in each group; none where no cell has two seeds.

    The variance of a group is sum (x - mean of the cell)^2 / sum (k - 1), then `moderated`.
    """
    return dict(fit_noise(series).total)


def moderated(groups: Mapping[Group, _SumOfSquares]) -> dict[Group, Spread]:
    """Return the spreads of groups, shrunk towards the pool of their family (Smyth 2004).

    With s^2 and d of a group, the pool's s0^2 (all squares over all degrees of freedom) and the
    prior degrees d0 that `prior_degrees` finds,

        s~^2 = (d0 s0^2 + d s^2) / (d0 + d), with min(d0 + d, degrees of the pool).
    """
    spreads = {}
    families: dict[tuple[str, bool], dict[Group, _SumOfSquares]] = {}
    for group, own in groups.items():
        families.setdefault(group.family, {})[group] = own
    for family in families.values():
        known = [own for own in family.values() if own.degrees]
        pool = sum(own.degrees for own in known)
        prior = prior_degrees([(own.squares / own.degrees, own.degrees) for own in known])
        for group, own in family.items():
            if own.degrees + prior == 0 or pool == 0:
                continue
            pooled = sum(other.squares for other in known) / pool
            squares = own.squares + prior * pooled
            variance = pooled if isinf(prior) else squares / (own.degrees + prior)
            seeds = own.seeds if own.degrees else float(np.mean([other.seeds for other in known]))
            degrees = min(own.degrees + prior, pool)
            spreads[group] = Spread(sqrt(variance), degrees, seeds)
    return spreads


def prior_degrees(variances: Sequence[tuple[float, float]]) -> float:
    """Return how many degrees of freedom the pool is worth to a group; infinite if all agree.

    By the moments of log s^2, as limma's `fitFDist`: with e = log s^2 - digamma(d / 2) +
    log(d / 2), trigamma(d0 / 2) = var(e) - mean of trigamma(d / 2). 0 for fewer than three groups.

    Args:
        variances: s^2 of each group and its degrees of freedom.
    """
    usable = [(variance, degrees) for variance, degrees in variances if variance > 0]
    if len(usable) < _FEWEST_TASKS:
        return 0.0
    # Imported here because it takes a third of a second, and planning imports this module.
    from scipy.special import digamma, polygamma

    logs = [log(s2) - float(digamma(d / 2)) + log(d / 2) for s2, d in usable]
    noise = float(np.mean([polygamma(1, d / 2) for _, d in usable]))
    excess = float(np.var(logs, ddof=1)) - noise
    return 2 * inverse_trigamma(excess) if excess > 0 else inf


def inverse_trigamma(y: float) -> float:
    """Return x with trigamma(x) = y, by Newton's method on 1 / trigamma (Smyth 2004, appendix)."""
    if y > 1e7:
        return 1 / sqrt(y)
    if y < 1e-6:
        return 1 / y
    from scipy.special import polygamma

    x = 0.5 + 1 / y
    for _ in range(50):
        trigamma = float(polygamma(1, x))
        step = trigamma * (1 - trigamma / y) / float(polygamma(2, x))
        x += step
        if -step / x < 1e-10:
            break
    return x


def _within_cells(members: Sequence[Series]) -> _SumOfSquares:
    values = [np.array(list(one.values.values()), float) for one in members]
    squares = sum(float(np.sum((own - own.mean()) ** 2)) for own in values if own.size)
    degrees = sum(own.size - 1 for own in values if own.size)
    several = [own.size for own in values if own.size > 1]
    return _SumOfSquares(squares, degrees, float(np.mean(several)) if several else 1.0)


@dataclass(frozen=True)
class _Residuals:
    """What the means of cells and seeds leave over: (model, seed) -> points."""

    squares: _SumOfSquares
    of: Mapping[tuple[str, str], float]


def _block_residuals(members: Sequence[Series]) -> _Residuals:
    """Return the residuals of the two-way layout cells x seeds, as of randomised blocks.

    A complete layout of n cells and k seeds leaves (n - 1)(k - 1) degrees of freedom.
    """
    seeds = sorted({seed for one in members for seed in one.values})
    table = np.array([[one.values.get(seed, np.nan) for seed in seeds] for one in members])
    known = ~np.isnan(table)
    fitted, parameters = _two_way(table, known)
    left = (table - fitted)[known]
    places = [(one.model, seed) for one in members for seed in seeds if seed in one.values]
    degrees = max(int(known.sum()) - parameters, 0)
    several = known.sum(axis=1)[known.sum(axis=1) > 1]
    mean_seeds = float(several.mean()) if several.size else 1.0
    squares = _SumOfSquares(float(left @ left) if degrees else 0.0, degrees, mean_seeds)
    return _Residuals(squares, dict(zip(places, map(float, left), strict=True)))


def _two_way(
    table: NDArray[np.float64], known: NDArray[np.bool_]
) -> tuple[NDArray[np.float64], int]:
    """Return the fit of row plus column effects, and how many parameters it has."""
    rows, columns = table.shape
    if known.all():
        means = table.mean(axis=1, keepdims=True) + table.mean(axis=0, keepdims=True)
        return means - table.mean(), rows + columns - 1
    design = np.zeros((rows, columns, rows + columns))
    design[np.arange(rows), :, np.arange(rows)] = 1
    design[:, np.arange(columns), rows + np.arange(columns)] = 1
    solution, _, rank, _ = np.linalg.lstsq(design[known], table[known], rcond=None)
    return design @ solution, int(rank)


def _task_correlation(
    members: Mapping[Group, Sequence[Series]], residuals: Mapping[Group, _Residuals]
) -> float:
    """Return how the residuals of one model and seed correlate between tasks, at least 0.

    It is the mean over all pairs of tasks and protocols. Averages of tasks are left out: they
    correlate with their own tasks by construction.
    """
    by_run: dict[tuple[str, str], list[float]] = {}
    for group in members:
        found = residuals[group]
        if " " in group.task or not found.squares.degrees or not found.squares.squares:
            continue
        scale = sqrt(found.squares.squares / len(found.of))
        for run, residual in found.of.items():
            by_run.setdefault(run, []).append(residual / scale)
    products = sum(sum(own) ** 2 - sum(z * z for z in own) for own in by_run.values())
    pairs = sum(len(own) * (len(own) - 1) for own in by_run.values())
    return min(max(products / pairs, 0.0), 1.0) if pairs else 0.0
