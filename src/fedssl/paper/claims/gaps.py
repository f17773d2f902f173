"""How far apart the two sides of a comparison are, and how sure that is."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import sqrt
from statistics import mean

from fedssl.evaluation.statistics import critical, seed_half_width

Key = tuple[str, str, str]  # table, row, and column as the table CSVs head it
Sum = Mapping[Key, float]  # a number made of cells: how often it counts each
Sides = tuple[Sequence[Sum], Sequence[Sum]]


@dataclass(frozen=True)
class Number:
    """A cell's value; a measured one has a value of each seed, and a printed one has none.

    Values are percent; of figure 3, which claims only order, silhouettes from -1 to 1. `error` is
    the standard error over samples, None for what is no accuracy.
    """

    value: float
    error: float | None = None
    seeds: Mapping[str, float] = field(default_factory=dict)
    scaled: bool = False


Numbers = Mapping[Key, Number]


def cells_of(sides: Sides) -> list[Key]:
    """Return every cell of two sides, once."""
    return list(dict.fromkeys(key for side in sides for number in side for key in number))


def value(number: Sum, numbers: Numbers) -> float:
    """Return what a sum of cells comes to."""
    return sum(weight * numbers[key].value for key, weight in number.items())


def gap(sides: Sides, how: str, numbers: Numbers) -> float:
    """Return left less right, each side its `mean`, `max` or `min`."""
    left, right = (_reduced([value(number, numbers) for number in side], how) for side in sides)
    return left - right


def half_width(sides: Sides, how: str, numbers: Numbers, *, alpha: float) -> float | None:
    """Return the half-width of the gap's interval at level `alpha`; 0 for printed numbers.

    It is over the seeds that all measured cells share, paired: each seed has its own gap. With
    fewer than two it is over samples, cells taken as independent; None where that is unknown, as
    of a largest or smallest cell, which was picked for its luck too.
    """
    known = {key: numbers[key] for key in cells_of(sides)}
    measured = [number for number in known.values() if number.seeds]
    if not measured:
        return 0.0
    shared = [s for s in measured[0].seeds if all(s in number.seeds for number in measured)]
    if len(shared) > 1:
        gaps = [gap(sides, how, _of_seed(known, seed)) for seed in shared]
        return seed_half_width(gaps, alpha=alpha)
    errors = {key: number.error if number.seeds else 0.0 for key, number in known.items()}
    if how != "mean" or None in errors.values():
        return None
    weights = _weights(sides)
    return critical(alpha) * sqrt(sum((weights[k] * (e or 0.0)) ** 2 for k, e in errors.items()))


def _reduced(values: Sequence[float], how: str) -> float:
    if how == "mean":
        return mean(values)
    return max(values) if how == "max" else min(values)


def _of_seed(numbers: Numbers, seed: str) -> dict[Key, Number]:
    return {key: Number(number.seeds.get(seed, number.value)) for key, number in numbers.items()}


def _weights(sides: Sides) -> dict[Key, float]:
    """Return how often the gap between two means counts each cell."""
    weights = dict.fromkeys(cells_of(sides), 0.0)
    for side, sign in zip(sides, (1, -1), strict=True):
        for number in side:
            for key, weight in number.items():
                weights[key] += sign * weight / len(side)
    return weights
