"""The two sides of a comparison of `claims.yaml`, as contrasts of cells."""

from collections.abc import Mapping, Sequence
from itertools import product
from typing import Any

from fedssl.paper.published import heading
from fedssl.paper.verdicts.contrast import Contrast, mean_contrast

Comparison = Mapping[str, Any]
Pair = tuple[Contrast, Contrast]  # left and right


def sides_of(comparison: Comparison) -> tuple[list[Contrast], list[Contrast]]:
    """Return the numbers of both sides, row by row; a missing right side is the constant 0."""
    right = _numbers(comparison["right"]) if "right" in comparison else [Contrast({})]
    return _numbers(comparison["left"]), right


def pairs_of(comparison: Comparison) -> list[Pair]:
    """Return what an `each` or a `mean` compares: each cell with its counterpart, or the means.

    Raises:
        ValueError: The sides of an `each` have different lengths, or one of its exceptions leaves
            out no cell, or all of them together leave out every cell.
    """
    left, right = sides_of(comparison)
    if comparison["compare"] == "mean":
        return [(mean_contrast(left), mean_contrast(right))]
    right = right * len(left) if len(right) == 1 else right
    if len(left) != len(right):
        raise ValueError(
            f"{len(left)} cells cannot each be compared with one of {len(right)}; "
            "name as many cells on the right as on the left, or a single one"
        )
    pairs = list(zip(left, right, strict=True))
    return _without(comparison.get("except", []), pairs)


def listed(value: Any) -> list[Any]:
    """Return a list as it is, and any other value as a list of one."""
    return value if isinstance(value, list) else [value]


def _numbers(groups: Any) -> list[Contrast]:
    numbers = []
    for group in listed(groups):
        for row, column in product(listed(group["row"]), listed(group["column"])):
            head = heading(column, group.get("protocol"))
            weights = {(group["table"], row, head): 1.0}
            if "over" in group:
                weights[group["table"], group["over"], head] = -1.0
            numbers.append(Contrast(weights))
    return numbers


def _without(exceptions: Sequence[Mapping[str, str]], pairs: Sequence[Pair]) -> list[Pair]:
    """Return the pairs whose left side is no exception."""
    excepted = [[_is(left, exception) for left, _ in pairs] for exception in exceptions]
    kept = [pair for i, pair in enumerate(pairs) if not any(named[i] for named in excepted)]
    # An exception that matches no cell is a mistyped name.
    if not kept or not all(map(any, excepted)):
        raise ValueError(
            f"the exceptions {list(exceptions)} must each leave out a cell of the left side, and "
            "together not all of its cells"
        )
    return kept


def _is(number: Contrast, exception: Mapping[str, str]) -> bool:
    """Return whether an exception names the row or column of a number."""
    # The first cell is the number's own. A second one is the row that `over` subtracts.
    _, row, column = next(iter(number.weights))
    return exception.items() <= {"row": row, "column": column}.items()
