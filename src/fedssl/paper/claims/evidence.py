"""What a comparison found, as a sentence."""

from collections.abc import Mapping, Sequence
from typing import Any

from fedssl.paper.claims.gaps import Key, Numbers, Sides, Sum, value


def sentence(rule: Mapping[str, Any], sides: Sides, numbers: Numbers) -> str:
    """Return a comparison with its numbers and where they stand.

    `rule` has relation, by, within, and how a side is reduced to one number: `compare`.
    """
    left, right = (_side(_one(side, rule["compare"], numbers), numbers) for side in sides)
    by = f"{rule['by']:+g}" if rule["by"] or not right else ""
    within = f"within {rule['within']:g}" if rule["relation"] in ("=", "~") else ""
    return " ".join(part for part in (left, rule["relation"], right, by, within) if part)


def cell_name(key: Key) -> str:
    """Return a cell by its table, row and column."""
    table, row, column = key
    place = f"table {table}" if table.isdecimal() else table or "prose"
    return f"{place}: {row}, {column}"


def _one(side: Sequence[Sum], how: str, numbers: Numbers) -> Sum:
    """Return the number that stands for a side: the one picked, or the mean, which names all."""
    if how in ("max", "min"):
        values = [value(number, numbers) for number in side]
        return side[values.index(max(values) if how == "max" else min(values))]
    total: dict[Key, float] = {}
    for number in side:
        for key, weight in number.items():
            total[key] = total.get(key, 0.0) + weight / len(side)
    return total


def _side(number: Sum, numbers: Numbers) -> str:
    return f"{_shown(value(number, numbers))} ({_text(number)})" if number else ""


def _shown(number: float) -> str:
    """Return a percentage with two decimals, and what may be a silhouette with four."""
    return f"{number:.2f}" if abs(number) > 1 else f"{number:.4f}"


def _text(number: Sum) -> str:
    names = [cell_name(key) for key in number]
    if len(names) == 1:
        return names[0]
    if len(names) == 2 and min(number.values()) < 0:
        return " less ".join(names)
    return f"from {len(names)} cells, the first {names[0]}"
