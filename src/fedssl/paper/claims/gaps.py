"""Compute the difference between the two sides of a comparison, and its interval."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from math import sqrt
from statistics import mean

from fedssl.evaluation.statistics import critical, seed_half_width

Key = tuple[str, str, str]  # table, row, and column as the CSV of the table has it
Sum = Mapping[Key, float]  # a weighted sum of cells: cell -> weight
Sides = tuple[Sequence[Sum], Sequence[Sum]]
_REDUCE: Mapping[str, Callable[[Sequence[float]], float]] = {"mean": mean, "max": max, "min": min}


@dataclass(frozen=True)
class Number:
    """A published or measured number.

    Attributes:
        value: Percent; for silhouettes (figure 3) a value from -1 to 1.
        error: Standard error over samples; None for a number that is not an accuracy.
        seeds: Value of each seed; empty for a published number.
        scaled: Whether a scaled run measured it.
    """

    value: float
    error: float | None = None
    seeds: Mapping[str, float] = field(default_factory=dict)
    scaled: bool = False


Numbers = Mapping[Key, Number]


def cells_of(sides: Sides) -> list[Key]:
    """Return the cells of both sides, each once."""
    return list(dict.fromkeys(key for side in sides for number in side for key in number))


def value(number: Sum, numbers: Numbers) -> float:
    """Return the value of a weighted sum of cells."""
    return sum(weight * numbers[key].value for key, weight in number.items())


def mean_of(side: Sequence[Sum]) -> Sum:
    """Return the mean of a side as one weighted sum of cells."""
    total: dict[Key, float] = {}
    for number in side:
        for key, weight in number.items():
            total[key] = total.get(key, 0.0) + weight / len(side)
    return total


def gap(sides: Sides, how: str, numbers: Numbers) -> float:
    """Return left minus right, after each side is reduced to its `mean`, `max` or `min`."""
    left, right = (_REDUCE[how]([value(number, numbers) for number in side]) for side in sides)
    return left - right


def half_width(sides: Sides, how: str, numbers: Numbers, *, alpha: float) -> float | None:
    """Return the half-width of the gap's interval at level `alpha`; 0 for published numbers.

    The interval is over the seeds that all measured cells share. With fewer than two such seeds it
    is over samples. None if the interval is unknown.
    """
    known = {key: numbers[key] for key in cells_of(sides)}
    measured = [number for number in known.values() if number.seeds]
    if not measured:
        return 0.0
    shared = [s for s in measured[0].seeds if all(s in number.seeds for number in measured)]
    if len(shared) > 1:
        # Cells of a seed share their shards, so the gap is computed for each seed (paired).
        gaps = [gap(sides, how, _of_seed(known, seed)) for seed in shared]
        return seed_half_width(gaps, alpha=alpha)
    errors = {key: number.error if number.seeds else 0.0 for key, number in known.items()}
    # The largest of several cells was also selected for its luck, which the errors do not cover.
    if how != "mean" or None in errors.values():
        return None
    # The errors of different cells are taken as independent.
    left, right = map(mean_of, sides)
    weights = {key: left.get(key, 0.0) - right.get(key, 0.0) for key in known}
    return critical(alpha) * sqrt(sum((weights[k] * (e or 0.0)) ** 2 for k, e in errors.items()))


def _of_seed(numbers: Numbers, seed: str) -> dict[Key, Number]:
    return {key: Number(number.seeds.get(seed, number.value)) for key, number in numbers.items()}
