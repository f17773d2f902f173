"""Sentences about numbers, as data: comparisons of cells, all of them or any of them.

A comparison is `{compare, left, relation, right, by, within, except}`. Each side is one group of
cells or several: `{table, row, column, protocol, over}`, where `row` and `column` are a name or a
list and `over` names a row whose number in the same column is subtracted. `compare` says how the
sides meet: `each` cell with its counterpart (or with the only one), or their `mean`, `max` or
`min`. The relation is between left and right plus `by` points; `~` allows `within` points, `=`
the precision of the numbers. Without `right`, left is compared with `by` alone.

Of many comparisons one fails by chance alone, though all are true. So where all of them must hold,
each of m must fail at level 5 %/m for the whole to fail (Bonferroni), and holds at 5 %; where any
of them suffices, the other way round.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from typing import Any

from fedssl.evaluation.statistics import ALPHA
from fedssl.paper.claims.evidence import cell_name, sentence
from fedssl.paper.claims.gaps import Key, Numbers, Sides, Sum, cells_of, gap, half_width
from fedssl.paper.published import heading

Predicate = Mapping[str, Any]

HOLDS, FAILS, NOT_DECIDABLE = "holds", "fails", "not decidable"
_STRENGTH = {FAILS: 0, NOT_DECIDABLE: 1, HOLDS: 2}
_DIGITS = 9  # smaller differences are floating-point error


@dataclass(frozen=True)
class Levels:
    """The levels, two-sided, at which a comparison must hold and must fail."""

    holds: float = ALPHA
    fails: float = ALPHA


@dataclass(frozen=True)
class Outcome:
    """A verdict, and the comparison that decided it.

    `margin` is by how many points that comparison holds, negative where it fails; None where it
    lacks a cell. `low` is what decides that it holds, the lower bound of the margin, and `high`
    that it fails, the upper one, each at its level; None where there is no interval.
    """

    verdict: str
    margin: float | None
    low: float | None
    high: float | None
    evidence: str


def cells(predicate: Predicate) -> list[Key]:
    """Return every cell that a predicate speaks of, once.

    Raises:
        ValueError: The sides of an `each` do not match, or nothing is left to compare.
    """
    found = [key for part in _comparisons(predicate) for key in cells_of(_sides(part))]
    return list(dict.fromkeys(found))


def evaluate(predicate: Predicate, numbers: Numbers, *, precision: float) -> Outcome:
    """Return whether a predicate holds, fails or is not decidable, and why.

    A comparison is not decidable where it lacks a cell or an interval, or while its interval
    (`fedssl.paper.claims.gaps.half_width`) reaches across the boundary between holding and failing.

    Args:
        predicate: As `settings.Predicate` declares it.
        numbers: The cells that are known.
        precision: How far apart, in points, numbers may be that `=` calls equal.
    """
    return _evaluate(predicate, numbers, precision=precision, levels=Levels())


def _evaluate(
    predicate: Predicate, numbers: Numbers, *, precision: float, levels: Levels
) -> Outcome:
    for name, choose in (("all", min), ("any", max)):
        if name in predicate:
            outcomes = []
            for part in predicate[name]:
                own = _share(levels, name, _count(part) / _count(predicate))
                outcomes.append(_evaluate(part, numbers, precision=precision, levels=own))
            return choose(outcomes, key=_strength)
    rule = {"within": precision, "by": 0.0, **predicate}
    pairs = _pairs(predicate)
    levels = _share(levels, "all", 1 / len(pairs))
    return min((_decide(rule, pair, numbers, levels=levels) for pair in pairs), key=_strength)


def _share(levels: Levels, name: str, share: float) -> Levels:
    """Return the levels of a part of `all`, where one failure suffices, or of `any`."""
    if name == "all":
        return Levels(levels.holds, levels.fails * share)
    return Levels(levels.holds * share, levels.fails)


def _count(predicate: Predicate) -> int:
    """Return how many pairs of sides a predicate compares."""
    return sum(len(_pairs(part)) for part in _comparisons(predicate))


def _pairs(comparison: Predicate) -> list[Sides]:
    """Return what a comparison holds against what: one pair, or of an `each` several."""
    left, right = _sides(comparison)
    if comparison["compare"] != "each":
        return [(left, right)]
    return [([one], [other]) for one, other in zip(left, right, strict=True)]


def _strength(outcome: Outcome) -> tuple[int, float]:
    """Order outcomes: the weakest decides `all`, the strongest `any`."""
    return _STRENGTH[outcome.verdict], outcome.margin or 0.0


def _comparisons(predicate: Predicate) -> Iterator[Predicate]:
    parts = predicate.get("all", predicate.get("any"))
    if parts is None:
        yield predicate
        return
    for part in parts:
        yield from _comparisons(part)


def _sides(comparison: Predicate) -> tuple[list[Sum], list[Sum]]:
    """Return the numbers left and right; of an `each`, as many and without its exceptions."""
    left = _numbers(comparison["left"])
    right = _numbers(comparison["right"]) if "right" in comparison else [{}]
    if comparison["compare"] != "each":
        return left, right
    if len(right) == 1:
        right *= len(left)
    if len(left) != len(right):
        raise ValueError(f"{len(left)} cells cannot each be compared with one of {len(right)}")
    exceptions = comparison.get("except", [])
    excepted = [[_is(number, exception) for number in left] for exception in exceptions]
    kept = [i for i in range(len(left)) if not any(named[i] for named in excepted)]
    if not kept or not all(map(any, excepted)):
        raise ValueError(f"exceptions {exceptions} must each leave out a cell, and not all cells")
    return [left[i] for i in kept], [right[i] for i in kept]


def _numbers(groups: Any) -> list[Sum]:
    """Return a side's numbers, row by row."""
    numbers: list[Sum] = []
    for group in _listed(groups):
        for row, column in product(_listed(group["row"]), _listed(group["column"])):
            head = heading(column, group.get("protocol"))
            number: Counter[Key] = Counter({(group["table"], row, head): 1})
            if "over" in group:
                number.subtract([(group["table"], group["over"], head)])
            numbers.append(dict(number))
    return numbers


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _is(number: Sum, exception: Mapping[str, str]) -> bool:
    """Return whether a number's own cell, its first, has the exception's row and column."""
    _, row, column = next(iter(number))
    return exception.items() <= {"row": row, "column": column}.items()


def _decide(rule: Predicate, sides: Sides, numbers: Numbers, *, levels: Levels) -> Outcome:
    missing = [key for key in cells_of(sides) if key not in numbers]
    if missing:
        names = "; ".join(map(cell_name, missing))
        return Outcome(NOT_DECIDABLE, None, None, None, f"missing: {names}")
    how = "mean" if rule["compare"] == "each" else rule["compare"]
    middle = gap(sides, how, numbers) - rule["by"]
    margin = _margins(rule, middle, middle)[0]
    evidence = sentence({**rule, "compare": how}, sides, numbers)
    at_holds = half_width(sides, how, numbers, alpha=levels.holds)
    at_fails = half_width(sides, how, numbers, alpha=levels.fails)
    if at_holds is None or at_fails is None:
        return Outcome(NOT_DECIDABLE, margin, None, None, f"{evidence}: one seed has no interval")
    low = _margins(rule, middle - at_holds, middle + at_holds)[0]
    high = _margins(rule, middle - at_fails, middle + at_fails)[1]
    verdict = _verdict(low, high, strict=rule["relation"] in (">", "<"))
    return Outcome(verdict, margin, low, high, ("not " if verdict == FAILS else "") + evidence)


def _margins(rule: Predicate, low: float, high: float) -> tuple[float, float]:
    """Return by how much the relation holds, least and most, for a gap from low to high."""
    if rule["relation"] in ("<", "<="):
        low, high = -high, -low
    elif rule["relation"] in ("=", "~"):
        least = 0.0 if low < 0 < high else min(abs(low), abs(high))
        low, high = rule["within"] - max(abs(low), abs(high)), rule["within"] - least
    return round(low, _DIGITS), round(high, _DIGITS)


def _verdict(low: float, high: float, *, strict: bool) -> str:
    if low > 0 or (low == 0 and not strict):
        return HOLDS
    return FAILS if high < 0 or (high == 0 and strict) else NOT_DECIDABLE
