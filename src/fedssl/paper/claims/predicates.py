"""Evaluate predicates: comparisons of cells, joined by "all" or "any".

A comparison is `{compare, left, relation, right, by, within, except}`. A side is one group of cells
or a list of groups. A group is `{table, row, column, protocol, over}`, where `row` and `column` are
a name or a list, and `over` names a row whose number in the same column is subtracted. `compare`
says how the sides are compared: `each` cell with its counterpart (or with the only cell on the
right), or the `mean`, `max` or `min` of each side. The relation must hold between left and right
plus `by` points. `~` allows a difference of `within` points, and `=` one of the precision of the
numbers. Without `right`, left is compared with `by`.

Levels are corrected for the number of comparisons (Bonferroni). If m comparisons must all hold, one
of them may fail by chance although all are true. So each must fail at level 5 %/m for the whole to
fail, and must hold at 5 %. If any of them suffices, it is the other way round.
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
# Smaller differences are floating-point errors, which must not decide between > and >=.
_DIGITS = 9


@dataclass(frozen=True)
class Levels:
    """Two-sided levels of the intervals that decide that a comparison holds, or that it fails."""

    holds: float = ALPHA
    fails: float = ALPHA


_UNCORRECTED = Levels()


@dataclass(frozen=True)
class Outcome:
    """A verdict, and the comparison that decided it.

    Attributes:
        verdict: holds, fails or not decidable.
        evidence: The comparison with its numbers, or what is missing.
        margin: Points by which the comparison holds, negative if it fails; None if a cell is
            missing.
        low: Lower bound of the margin, which decides that it holds; None without an interval.
        high: Upper bound of the margin, which decides that it fails; None without an interval.
    """

    verdict: str
    evidence: str
    margin: float | None = None
    low: float | None = None
    high: float | None = None


def cells(predicate: Predicate) -> list[Key]:
    """Return the cells of a predicate, each once.

    Raises:
        ValueError: The sides of an `each` have different lengths, or its exceptions leave out no
            cell or all cells.
    """
    found = [key for part in _comparisons(predicate) for key in cells_of(_sides(part))]
    return list(dict.fromkeys(found))


def evaluate(
    predicate: Predicate, numbers: Numbers, *, precision: float, levels: Levels = _UNCORRECTED
) -> Outcome:
    """Return whether a predicate holds, fails or is not decidable, and why.

    A comparison is not decidable if it lacks a cell or an interval, or if its interval contains
    the boundary between holding and failing.

    Args:
        predicate: Plain data, as `settings.Predicate` declares it.
        numbers: The known cells.
        precision: Largest difference, in points, of numbers that `=` treats as equal.
        levels: Levels of the intervals; they are stricter for a part of a larger predicate.
    """
    for name, choose in (("all", min), ("any", max)):
        if name in predicate:
            outcomes = []
            for part in predicate[name]:
                # Shares are in proportion to the comparisons, so nesting changes no level.
                own = _share(levels, name, _count(part) / _count(predicate))
                outcomes.append(evaluate(part, numbers, precision=precision, levels=own))
            return choose(outcomes, key=_strength)
    rule = {"within": precision, "by": 0.0, **predicate}
    pairs = _pairs(predicate)
    # The comparisons of an `each` must all hold.
    levels = _share(levels, "all", 1 / len(pairs))
    return min((_decide(rule, pair, numbers, levels=levels) for pair in pairs), key=_strength)


def _share(levels: Levels, name: str, share: float) -> Levels:
    """Return the levels of a part that has a share of the comparisons of `all` or `any`."""
    # One failure makes `all` fail, so its parts must fail at a stricter level.
    if name == "all":
        return Levels(levels.holds, levels.fails * share)
    return Levels(levels.holds * share, levels.fails)


def _count(predicate: Predicate) -> int:
    """Return the number of pairs of sides that a predicate compares."""
    return sum(len(_pairs(part)) for part in _comparisons(predicate))


def _pairs(comparison: Predicate) -> list[Sides]:
    """Return the pairs of sides of a comparison: several for `each`, otherwise one."""
    left, right = _sides(comparison)
    if comparison["compare"] != "each":
        return [(left, right)]
    return [([one], [other]) for one, other in zip(left, right, strict=True)]


def _strength(outcome: Outcome) -> tuple[int, float]:
    """Return a sort key of outcomes: the weakest decides `all`, and the strongest `any`."""
    return _STRENGTH[outcome.verdict], outcome.margin or 0.0


def _comparisons(predicate: Predicate) -> Iterator[Predicate]:
    parts = predicate.get("all", predicate.get("any"))
    if parts is None:
        yield predicate
        return
    for part in parts:
        yield from _comparisons(part)


def _sides(comparison: Predicate) -> tuple[list[Sum], list[Sum]]:
    """Return the numbers of both sides; for `each`, of equal length and without exceptions."""
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
    # An exception that matches no cell is a mistyped name.
    if not kept or not all(map(any, excepted)):
        raise ValueError(f"exceptions {exceptions} must each leave out a cell, and not all cells")
    return [left[i] for i in kept], [right[i] for i in kept]


def _numbers(groups: Any) -> list[Sum]:
    """Return the numbers of a side, row by row."""
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
    """Return whether an exception names the row or column of a number."""
    # The first cell is the number's own. A second one is the row that `over` subtracts.
    _, row, column = next(iter(number))
    return exception.items() <= {"row": row, "column": column}.items()


def _decide(rule: Predicate, sides: Sides, numbers: Numbers, *, levels: Levels) -> Outcome:
    missing = [key for key in cells_of(sides) if key not in numbers]
    if missing:
        names = "; ".join(map(cell_name, missing))
        return Outcome(NOT_DECIDABLE, f"missing: {names}")
    how = "mean" if rule["compare"] == "each" else rule["compare"]
    middle = gap(sides, how, numbers) - rule["by"]
    margin = _margins(rule, middle, middle)[0]
    evidence = sentence({**rule, "compare": how}, sides, numbers)
    at_holds = half_width(sides, how, numbers, alpha=levels.holds)
    at_fails = half_width(sides, how, numbers, alpha=levels.fails)
    if at_holds is None or at_fails is None:
        return Outcome(NOT_DECIDABLE, f"{evidence}: one seed has no interval", margin)
    low = _margins(rule, middle - at_holds, middle + at_holds)[0]
    high = _margins(rule, middle - at_fails, middle + at_fails)[1]
    verdict = _verdict(low, high, strict=rule["relation"] in (">", "<"))
    return Outcome(verdict, ("not " if verdict == FAILS else "") + evidence, margin, low, high)


def _margins(rule: Predicate, low: float, high: float) -> tuple[float, float]:
    """Return the least and largest margin of the relation for a gap between low and high."""
    if rule["relation"] in ("<", "<="):
        low, high = -high, -low
    elif rule["relation"] in ("=", "~"):
        # The margin is the part of the tolerance that the difference leaves.
        least = 0.0 if low < 0 < high else min(abs(low), abs(high))
        low, high = rule["within"] - max(abs(low), abs(high)), rule["within"] - least
    return round(low, _DIGITS), round(high, _DIGITS)


def _verdict(low: float, high: float, *, strict: bool) -> str:
    if low > 0 or (low == 0 and not strict):
        return HOLDS
    return FAILS if high < 0 or (high == 0 and strict) else NOT_DECIDABLE
