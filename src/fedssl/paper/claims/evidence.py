"""Word the result of a comparison."""

from collections.abc import Mapping, Sequence
from typing import Any

from fedssl.paper.claims.gaps import Key, Numbers, Sides, Sum, mean_of, value


def sentence(rule: Mapping[str, Any], sides: Sides, numbers: Numbers) -> str:
    """Return a comparison with its numbers and their places in the tables.

    `rule` has relation, by, within and compare, which is how a side is reduced to one number.
    """
    left, right = (_side(_one(side, rule["compare"], numbers), numbers) for side in sides)
    by = f"{rule['by']:+g}" if rule["by"] or not right else ""
    within = f"within {rule['within']:g}" if rule["relation"] in ("=", "~") else ""
    return " ".join(part for part in (left, rule["relation"], right, by, within) if part)


def cell_name(key: Key) -> str:
    """Return the name of a cell: its table, row and column."""
    table, row, column = key
    place = f"table {table}" if table.isdecimal() else table or "prose"
    return f"{place}: {row}, {column}"


def _one(side: Sequence[Sum], how: str, numbers: Numbers) -> Sum:
    """Return the largest or smallest number of a side, or the mean of all."""
    if how == "mean":
        return mean_of(side)
    choose = max if how == "max" else min
    return choose(side, key=lambda number: value(number, numbers))


def _side(number: Sum, numbers: Numbers) -> str:
    return f"{_shown(value(number, numbers))} ({_text(number)})" if number else ""


def _shown(number: float) -> str:
    # Two decimals are too few for silhouettes, which lie between -1 and 1.
    return f"{number:.2f}" if abs(number) > 1 else f"{number:.4f}"


def _text(number: Sum) -> str:
    names = [cell_name(key) for key in number]
    if len(names) == 1:
        return names[0]
    if len(names) == 2 and min(number.values()) < 0:
        return " minus ".join(names)
    return f"from {len(names)} cells, the first {names[0]}"
