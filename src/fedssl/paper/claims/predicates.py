"""Evaluate predicates on printed numbers: comparisons of cells, joined by "all" or "any".

A comparison is `{compare, left, relation, right, by, within, except}`. A side is one group of cells
or a list of groups. A group is `{table, row, column, protocol, over}`, where `row` and `column` are
a name or a list, and `over` names a row whose number in the same column is subtracted. `compare`
says how the sides are compared: `each` cell with its counterpart (or with the only cell on the
right), or the `mean`, `max` or `min` of each side. The relation must hold between left and right
plus `by` points. `~` allows a difference of `within` points, and `=` one of the precision of the
numbers. Without `right`, left is compared with `by`.

Printed numbers have no noise here: each comparison holds or fails as they stand. Measured numbers
are tested instead, see `measured.py`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fedssl.paper.claims.evidence import cell_name, sentence
from fedssl.paper.verdicts.claim_test import FAILS, HOLDS, UNDECIDED
from fedssl.paper.verdicts.contrast import Contrast, Key, mean_contrast
from fedssl.paper.verdicts.sides import Pair, pairs_of, sides_of

Predicate = Mapping[str, Any]
Numbers = Mapping[Key, float]

_STRENGTH = {FAILS: 0, UNDECIDED: 1, HOLDS: 2}
# Smaller differences are floating-point errors, which must not decide between > and >=.
_DIGITS = 9


@dataclass(frozen=True)
class Outcome:
    """A verdict, and the comparison that decided it.

    Attributes:
        verdict: holds, fails or undecided.
        evidence: The comparison with its numbers, or what is missing.
        margin: Points by which the comparison holds, negative if it fails; None if a cell is
            missing.
    """

    verdict: str
    evidence: str
    margin: float | None = None


def evaluate(predicate: Predicate, numbers: Numbers, *, precision: float) -> Outcome:
    """Return whether a predicate holds or fails, or is undecided for lack of a cell, and why.

    Args:
        predicate: Plain data, as `settings.Predicate` declares it.
        numbers: The printed cells.
        precision: Largest difference, in points, of numbers that `=` treats as equal.
    """
    for name, choose in (("all", min), ("any", max)):
        if name in predicate:
            parts = [evaluate(part, numbers, precision=precision) for part in predicate[name]]
            return choose(parts, key=_strength)
    rule = {"within": precision, "by": 0.0, **predicate}
    return min((_decide(rule, pair, numbers) for pair in _pairs(rule, numbers)), key=_strength)


def _pairs(comparison: Predicate, numbers: Numbers) -> list[Pair]:
    """Return the pairs of numbers that a comparison compares: several for `each`, otherwise one."""
    if comparison["compare"] not in ("max", "min"):
        return pairs_of(comparison)
    choose = max if comparison["compare"] == "max" else min

    def one(side: Sequence[Contrast]) -> Contrast:
        # A side that lacks a cell stays whole, so that the missing cell is named.
        if any(key not in numbers for number in side for key in number.weights):
            return mean_contrast(side)
        return choose(side, key=lambda number: number.value(numbers))

    left, right = map(one, sides_of(comparison))
    return [(left, right)]


def _strength(outcome: Outcome) -> tuple[int, float]:
    """Return a sort key of outcomes: the weakest decides `all`, and the strongest `any`."""
    return _STRENGTH[outcome.verdict], outcome.margin or 0.0


def _decide(rule: Predicate, pair: Pair, numbers: Numbers) -> Outcome:
    used = dict.fromkeys(key for side in pair for key in side.weights)
    if missing := [key for key in used if key not in numbers]:
        return Outcome(UNDECIDED, f"missing: {'; '.join(map(cell_name, missing))}")
    left, right = (side.value(numbers) for side in pair)
    margin = round(_margin(rule, left - right - rule["by"]), _DIGITS)
    holds = margin > 0 or (margin == 0 and rule["relation"] not in (">", "<"))
    verdict = HOLDS if holds else FAILS
    return Outcome(verdict, sentence(rule, pair, numbers, verdict=verdict), margin)


def _margin(rule: Predicate, difference: float) -> float:
    """Return the points by which the relation holds for a difference of the sides."""
    if rule["relation"] in ("=", "~"):
        # The margin is the part of the tolerance that the difference leaves.
        return float(rule["within"] - abs(difference))
    return -difference if rule["relation"] in ("<", "<=") else difference
