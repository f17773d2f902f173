"""Sentences about numbers, as data: comparisons of cells, all of them or any of them.

A comparison is `{compare, left, relation, right, by, within, except}`. Each side is one group of
cells or several: `{table, row, column, protocol, over}`, where `row` and `column` are a name or a
list and `over` names a row whose number in the same column is subtracted. `compare` says how the
sides meet: `each` cell with its counterpart (or with the only one), or their `mean`, `max` or
`min`. The relation is between left and right plus `by` points; `~` allows `within` points, `=`
the precision of the numbers. Without `right`, left is compared with `by` alone.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from math import sqrt
from typing import Any

from fedssl.reporting.published import PROTOCOL_LABELS

Key = tuple[str, str, str]  # table, row, and column as the table CSVs head it
Predicate = Mapping[str, Any]
Sum = Mapping[Key, float]  # a number made of cells: how often it counts each

HOLDS, FAILS, NOT_DECIDABLE = "holds", "fails", "not decidable"
_STRENGTH = {FAILS: 0, NOT_DECIDABLE: 1, HOLDS: 2}
_NORMAL_95 = 1.96  # two-sided 95 % quantile of the normal distribution
_DIGITS = 9  # smaller differences are floating-point error


@dataclass(frozen=True)
class Number:
    """A cell's value, its standard error over seeds (None if unknown) and whether scaled.

    Values are percent; of figure 3, which claims only order, silhouettes from -1 to 1.
    """

    value: float
    error: float | None = None
    scaled: bool = False


Numbers = Mapping[Key, Number]


@dataclass(frozen=True)
class Outcome:
    """A verdict, and the comparison that decided it.

    `margin` is by how many points that comparison holds, negative where it fails; None where it
    lacks a cell. `low` and `high` bound the margin's 95 % interval over seeds; None where a cell
    has no spread over seeds.
    """

    verdict: str
    margin: float | None
    low: float | None
    high: float | None
    evidence: str


def heading(column: str, protocol: str | None) -> str:
    """Return a column as the table CSVs head it."""
    return column if protocol is None else f"{column} {PROTOCOL_LABELS[protocol]}"


def cells(predicate: Predicate) -> list[Key]:
    """Return every cell that a predicate speaks of, once.

    Raises:
        ValueError: The sides of an `each` do not match, or nothing is left to compare.
    """
    sides = [side for part in _comparisons(predicate) for side in _sides(part)]
    return list(dict.fromkeys(key for side in sides for number in side for key in number))


def evaluate(predicate: Predicate, numbers: Numbers, *, precision: float) -> Outcome:
    """Return whether a predicate holds, fails or is not decidable, and why.

    A comparison that lacks a cell is not decidable. Where all its cells have a spread over seeds,
    it is not decidable either while its 95 % interval (1.96 standard errors, cells taken as
    independent) reaches across the boundary between holding and failing.

    Args:
        predicate: As `claims.schema.json` describes it.
        numbers: The cells that are known.
        precision: How far apart, in points, numbers may be that `=` calls equal.
    """
    for name, choose in (("all", min), ("any", max)):
        if name in predicate:
            parts = [evaluate(part, numbers, precision=precision) for part in predicate[name]]
            return choose(parts, key=_strength)
    rule = {"within": precision, "by": 0.0, **predicate}
    left, right = _sides(predicate)
    if predicate["compare"] != "each":
        left, right = (_reduced(side, predicate["compare"], numbers) for side in (left, right))
    pairs = zip(left, right, strict=True)
    return min((_decide(rule, pair, numbers) for pair in pairs), key=_strength)


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


def _reduced(side: Sequence[Sum], how: str, numbers: Numbers) -> list[Sum]:
    """Return one number for a side; where a cell lacks, the mean, which names them all."""
    known = all(key in numbers for number in side for key in number)
    if how != "mean" and known:
        values = [_value(number, numbers) for number in side]
        return [side[values.index(max(values) if how == "max" else min(values))]]
    total: dict[Key, float] = {}
    for number in side:
        for key, weight in number.items():
            total[key] = total.get(key, 0.0) + weight / len(side)
    return [total]


def _decide(rule: Predicate, pair: tuple[Sum, Sum], numbers: Numbers) -> Outcome:
    left, right = pair
    missing = [key for key in {**left, **right} if key not in numbers]
    if missing:
        names = "; ".join(_name(key) for key in missing)
        return Outcome(NOT_DECIDABLE, None, None, None, f"missing: {names}")
    gap = _value(left, numbers) - _value(right, numbers) - rule["by"]
    half = _half_width(left, right, numbers)
    margin = _margins(rule, gap, gap)[0]
    low, high = _margins(rule, gap - (half or 0.0), gap + (half or 0.0))
    verdict = _verdict(low, high, strict=rule["relation"] in (">", "<"))
    evidence = ("not " if verdict == FAILS else "") + _evidence(rule, pair, numbers)
    if half is None:
        return Outcome(verdict, margin, None, None, evidence)
    return Outcome(verdict, margin, low, high, evidence)


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


def _value(number: Sum, numbers: Numbers) -> float:
    return sum(weight * numbers[key].value for key, weight in number.items())


def _half_width(left: Sum, right: Sum, numbers: Numbers) -> float | None:
    """Return the gap's 95 % half-width over seeds; None unless every cell has a spread."""
    weights = {key: left.get(key, 0.0) - right.get(key, 0.0) for key in {**left, **right}}
    variance = 0.0
    for key, weight in weights.items():
        error = numbers[key].error
        if error is None:
            return None
        variance += (weight * error) ** 2
    return _NORMAL_95 * sqrt(variance)


def _evidence(rule: Predicate, pair: tuple[Sum, Sum], numbers: Numbers) -> str:
    left, right = (
        f"{_shown(_value(side, numbers))} ({_text(side)})" if side else "" for side in pair
    )
    by = f"{rule['by']:+g}" if rule["by"] or not right else ""
    within = f"within {rule['within']:g}" if rule["relation"] in ("=", "~") else ""
    return " ".join(part for part in (left, rule["relation"], right, by, within) if part)


def _shown(value: float) -> str:
    """Return a percentage with two decimals, and what may be a silhouette with four."""
    return f"{value:.2f}" if abs(value) > 1 else f"{value:.4f}"


def _text(number: Sum) -> str:
    names = [_name(key) for key in number]
    if len(names) == 1:
        return names[0]
    if len(names) == 2 and min(number.values()) < 0:
        return " less ".join(names)
    return f"from {len(names)} cells, the first {names[0]}"


def _name(key: Key) -> str:
    table, row, column = key
    place = f"table {table}" if table.isdecimal() else table or "prose"
    return f"{place}: {row}, {column}"
