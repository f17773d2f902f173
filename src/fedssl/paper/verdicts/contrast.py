"""Contrasts: weighted sums of cells, their estimates and how sure these are."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from math import sqrt
from statistics import fmean

from fedssl.evaluation.statistics import critical
from fedssl.paper.verdicts.cell_verdict import satterthwaite
from fedssl.paper.verdicts.seed_spread import Group, SeedNoise, Series, Spread

Key = tuple[str, str, str]  # table, row, and column as the table CSVs head it


@dataclass(frozen=True)
class Printed:
    """A number that only the paper has: one run of a model that nobody reruns."""

    group: Group
    value: float


Cells = Mapping[Key, Series | Printed]


@dataclass(frozen=True)
class Contrast:
    """A weighted sum of cells plus a constant; a claim says on which side of 0 it lies."""

    weights: Mapping[Key, float]
    constant: float = 0.0

    def minus(self, other: "Contrast") -> "Contrast":
        """Return the difference of two contrasts."""
        weights = dict(self.weights)
        for key, weight in other.weights.items():
            weights[key] = weights.get(key, 0.0) - weight
        return Contrast(weights, self.constant - other.constant)

    def plus(self, constant: float) -> "Contrast":
        """Return the contrast shifted by a constant."""
        return replace(self, constant=self.constant + constant)

    def times(self, factor: float) -> "Contrast":
        """Return the contrast scaled by a factor."""
        weights = {key: factor * weight for key, weight in self.weights.items()}
        return Contrast(weights, factor * self.constant)

    def value(self, numbers: Mapping[Key, float]) -> float:
        """Return the value for known numbers of its cells."""
        return self.constant + sum(w * numbers[key] for key, w in self.weights.items())


def mean_contrast(contrasts: Sequence[Contrast]) -> Contrast:
    """Return the mean of contrasts."""
    weights: dict[Key, float] = {}
    for contrast in contrasts:
        for key, weight in contrast.weights.items():
            weights[key] = weights.get(key, 0.0) + weight / len(contrasts)
    return Contrast(weights, fmean(contrast.constant for contrast in contrasts))


@dataclass(frozen=True)
class Estimate:
    """A contrast's value, its standard error, their degrees of freedom and the seeds behind them.

    `fixed` is the part of the variance that no seed reduces: that of printed numbers. `allowance`
    is by how many standard errors a plan lets the value turn out worse. `contrast` is what was
    estimated.
    """

    value: float
    error: float
    degrees: float
    seeds: int
    fixed: float = 0.0
    allowance: float = 0.0
    contrast: Contrast | None = field(default=None, compare=False, repr=False)

    def p_above(self, boundary: float = 0.0) -> float:
        """Return the p value of "at most `boundary`", one-sided: small if above."""
        return self._p(self.value - boundary)

    def p_below(self, boundary: float = 0.0) -> float:
        """Return the p value of "at least `boundary`", one-sided: small if below."""
        return self._p(boundary - self.value)

    def interval(self) -> tuple[float, float]:
        """Return the 95 % interval."""
        half = critical(degrees=self.degrees) * self.error
        return self.value - half, self.value + half

    def planned(self, seeds: int, *, allowance: float) -> "Estimate":
        """Return the same value as if it came from `seeds` seeds of every cell."""
        degrees = self.degrees * (seeds - 1) / max(self.seeds - 1, 1)
        variance = self.fixed + (self.error**2 - self.fixed) * self.seeds / seeds
        return Estimate(self.value, sqrt(variance), degrees, seeds, self.fixed, allowance)

    def _p(self, distance: float) -> float:
        if self.error == 0:
            return 0.5 if distance == 0 else float(distance < 0)
        # Imported here because it takes a third of a second, and planning imports this module.
        from scipy.special import stdtr

        return float(stdtr(self.degrees, self.allowance - distance / self.error))


@dataclass(frozen=True)
class Measurements:
    """Cells with the noise of their seeds."""

    cells: Cells
    noise: SeedNoise

    def estimate(self, contrast: Contrast) -> Estimate | None:
        """Return a contrast's estimate over the seeds that its measured cells share.

        With the weights w and k seeds, models independent of each other,

            variance = sum over groups of s^2 (sum w^2 / k + sum w^2 of the printed numbers)
                     + correlation of the tasks of each model, where that adds to it.

        s is the paired spread in a group whose weights cancel, the total one in others. Printed
        numbers are single runs. None without a shared seed or without a spread.
        """
        shared = self.shared_seeds(contrast)
        if not shared:
            return None
        values = self.by_seed(contrast, shared)
        parts = self._groups(contrast)
        spreads = {group: self._spread(group, part) for group, part in parts.items()}
        if any(spread is None for spread in spreads.values()):
            return None
        known = {group: spread for group, spread in spreads.items() if spread is not None}
        fixed = {group: known[group].sd ** 2 * part.printed for group, part in parts.items()}
        own = {
            group: known[group].sd ** 2 * part.squares / len(shared) + fixed[group]
            for group, part in parts.items()
        }
        degrees = satterthwaite(own.values(), [known[group].degrees for group in own])
        variance = sum(own.values()) + self._between_tasks(parts, known) / len(shared)
        value, seeds = fmean(values), len(shared)
        error, printed = sqrt(variance), sum(fixed.values())
        return Estimate(value, error, degrees, seeds, printed, contrast=contrast)

    def shared_seeds(self, contrast: Contrast) -> list[str]:
        """Return the seeds that all measured cells of a contrast have."""
        cells = [self.cells[key] for key in contrast.weights]
        measured = [cell.values for cell in cells if isinstance(cell, Series)]
        if not measured:
            return []
        return [seed for seed in measured[0] if all(seed in values for values in measured)]

    def by_seed(self, contrast: Contrast, seeds: Sequence[str]) -> list[float]:
        """Return a contrast's value for each seed; printed numbers are the same for all."""
        return [contrast.constant + sum(self._terms(contrast, seed)) for seed in seeds]

    def _terms(self, contrast: Contrast, seed: str) -> list[float]:
        terms = []
        for key, weight in contrast.weights.items():
            cell = self.cells[key]
            value = cell.values[seed] if isinstance(cell, Series) else cell.value
            terms.append(weight * value)
        return terms

    def _groups(self, contrast: Contrast) -> dict[Group, "_Part"]:
        """Return a contrast's weights by group; a model that two tables print is one."""
        models: dict[Group, dict[str, float]] = {}
        printed: dict[Group, float] = {}
        for key, weight in contrast.weights.items():
            cell = self.cells[key]
            models.setdefault(cell.group, {})
            if isinstance(cell, Printed):
                printed[cell.group] = printed.get(cell.group, 0.0) + weight**2
                continue
            own = models[cell.group]
            own[cell.model] = own.get(cell.model, 0.0) + weight
        return {group: _Part(own, printed.get(group, 0.0)) for group, own in models.items()}

    def _spread(self, group: Group, part: "_Part") -> Spread | None:
        cancels = not part.printed and abs(sum(part.models.values())) < 1e-9
        return (self.noise.paired if cancels else self.noise.total).get(group)

    def _between_tasks(
        self, parts: Mapping[Group, "_Part"], spreads: Mapping[Group, Spread]
    ) -> float:
        """Return what the correlation of a model's tasks adds to the variance of one seed.

        Never less than 0: where it would help, as in a difference of tasks, it is not relied on.
        """
        by_model: dict[str, list[float]] = {}
        for group, part in parts.items():
            for model, weight in part.models.items():
                by_model.setdefault(model, []).append(weight * spreads[group].sd)
        products = sum(sum(own) ** 2 - sum(z * z for z in own) for own in by_model.values())
        return max(self.noise.correlation * products, 0.0)


@dataclass(frozen=True)
class _Part:
    """A contrast's weights in one group: of each model, and squared of the printed numbers."""

    models: Mapping[str, float]
    printed: float

    @cached_property
    def squares(self) -> float:
        """Sum of the squared weights of the models."""
        return sum(weight**2 for weight in self.models.values())
