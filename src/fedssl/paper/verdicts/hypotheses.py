"""A claim's predicate as one hypothesis about contrasts of cells.

| predicate | hypothesis |
|---|---|
| `each`, cell by cell | above on average, and no cell below by more than a point |
| `each`, with `by` or several cells against one | each is above: the closest decides |
| `mean` | the difference of the means is above |
| `max`, `min` | one cell of a side is above all of the other |
| `=`, `~` | every difference is within the points |
| numbers of rounds | most seeds satisfy the comparison |
| `all`, `any` | all parts, any part |
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from typing import Any

from fedssl.paper.published import heading
from fedssl.paper.verdicts.contrast import Contrast, Key, mean_contrast

EQUAL = 1.0  # points within which `=` holds between measured numbers
_ROUNDS = "chosen-round"
_NEAR = ("=", "~")


@dataclass(frozen=True)
class Together:
    """Margins of one effect, cell by cell: above on average, and none far below.

    A single cell may lie up to `tolerance` points below, as far as measured numbers count as equal.
    """

    margins: tuple[Contrast, ...]
    tolerance: float = EQUAL

    @cached_property
    def average(self) -> Contrast:
        """The mean of the margins."""
        return mean_contrast(self.margins)


@dataclass(frozen=True)
class Every:
    """Margins that must each be above."""

    margins: tuple[Contrast, ...]


@dataclass(frozen=True)
class Near:
    """Differences that must each lie within so many points."""

    margins: tuple[Contrast, ...]
    within: float


@dataclass(frozen=True)
class SomeAboveAll:
    """A table of margins, candidates by rivals: in some row every margin is above."""

    margins: tuple[tuple[Contrast, ...], ...]


@dataclass(frozen=True)
class Most:
    """Margins of which most seeds have each at 0 or above; above only if `strict`."""

    margins: tuple[Contrast, ...]
    strict: bool


@dataclass(frozen=True)
class AllOf:
    """Hypotheses that must all hold."""

    parts: tuple["Hypothesis", ...]


@dataclass(frozen=True)
class AnyOf:
    """Hypotheses of which one must hold."""

    parts: tuple["Hypothesis", ...]


Hypothesis = Together | Every | Near | SomeAboveAll | Most | AllOf | AnyOf


def hypothesis_of(predicate: Mapping[str, Any]) -> Hypothesis:
    """Return a predicate of `claims.yaml` as one hypothesis.

    Raises:
        ValueError: The sides of an `each` do not match, or `max` or `min` asks for equality.
    """
    if "all" in predicate:
        return AllOf(tuple(map(hypothesis_of, predicate["all"])))
    if "any" in predicate:
        return AnyOf(tuple(map(hypothesis_of, predicate["any"])))
    return _comparison(predicate)


def cells_of(hypothesis: Hypothesis) -> list[Key]:
    """Return every cell that a hypothesis speaks of, once."""
    return list(dict.fromkeys(k for margin in margins_of(hypothesis) for k in margin.weights))


def margins_of(hypothesis: Hypothesis) -> Iterator[Contrast]:
    """Yield every margin of a hypothesis."""
    if isinstance(hypothesis, AllOf | AnyOf):
        for part in hypothesis.parts:
            yield from margins_of(part)
    elif isinstance(hypothesis, SomeAboveAll):
        for row in hypothesis.margins:
            yield from row
    else:
        yield from hypothesis.margins


def _comparison(comparison: Mapping[str, Any]) -> Hypothesis:
    left, right = _side(comparison["left"]), _side(comparison.get("right"))
    relation, how = comparison["relation"], comparison["compare"]
    if how in ("max", "min"):
        return _extreme(comparison, left, right)
    pairs = _pairs(comparison, left, right)
    signed = [_margin(relation, a, b, by=comparison.get("by", 0.0)) for a, b in pairs]
    margins = tuple(signed)
    if _ROUNDS in _protocols(comparison["left"]):
        return Most(margins, strict=relation in ("<", ">"))
    if relation in _NEAR:
        return Near(margins, comparison.get("within", EQUAL))
    one_sided = len({id(a) for a, _ in pairs}) == 1 or len({id(b) for _, b in pairs}) == 1
    apart = one_sided or comparison.get("by", 0.0) != 0
    return Every(margins) if apart or len(margins) == 1 else Together(margins)


def _extreme(
    comparison: Mapping[str, Any], left: Sequence[Contrast], right: Sequence[Contrast]
) -> SomeAboveAll:
    """Return which candidate must beat which rivals: max L > max R if one of L is above all R.

    min L > min R if one of R is below all L; the relations < and <= trade the sides.
    """
    relation, how, by = comparison["relation"], comparison["compare"], comparison.get("by", 0.0)
    if relation in _NEAR:
        raise ValueError(f"`compare: {how}` with the relation {relation} has no test")
    upper, lower = (left, right) if relation in (">", ">=") else (right, left)
    shift = -by if relation in (">", ">=") else by
    if how == "max":
        rows = [[a.minus(b).plus(shift) for b in lower] for a in upper]
    else:
        rows = [[a.minus(b).plus(shift) for a in upper] for b in lower]
    return SomeAboveAll(tuple(map(tuple, rows)))


def _margin(relation: str, left: Contrast, right: Contrast, *, by: float) -> Contrast:
    """Return by how much a relation holds; of equality, how far apart the sides are."""
    difference = left.minus(right).plus(-by)
    return difference.times(-1) if relation in ("<", "<=") else difference


def _pairs(
    comparison: Mapping[str, Any], left: list[Contrast], right: list[Contrast]
) -> list[tuple[Contrast, Contrast]]:
    if comparison["compare"] == "mean":
        return [(mean_contrast(left), mean_contrast(right))]
    right = right * len(left) if len(right) == 1 else right
    if len(left) != len(right):
        raise ValueError(f"{len(left)} cells cannot each be compared with one of {len(right)}")
    exceptions = comparison.get("except", [])
    pairs = zip(_merged(left), _merged(right), strict=True)
    kept = [(a, b) for a, b in pairs if not any(_is(a, exception) for exception in exceptions)]
    if not kept:
        raise ValueError(f"exceptions {exceptions} leave out all cells")
    return kept


def _merged(side: Sequence[Contrast]) -> list[Contrast]:
    """Return a side in which equal contrasts are the same object, so that one cell counts once."""
    first: dict[tuple[tuple[Key, float], ...], Contrast] = {}
    return [first.setdefault(tuple(contrast.weights.items()), contrast) for contrast in side]


def _side(groups: Any) -> list[Contrast]:
    """Return a side's numbers, row by row; nothing is the constant 0."""
    if groups is None:
        return [Contrast({})]
    numbers = []
    for group in _listed(groups):
        for row, column in product(_listed(group["row"]), _listed(group["column"])):
            head = heading(column, group.get("protocol"))
            weights = {(group["table"], row, head): 1.0}
            if "over" in group:
                weights[group["table"], group["over"], head] = -1.0
            numbers.append(Contrast(weights))
    return numbers


def _protocols(groups: Any) -> set[str | None]:
    return {group.get("protocol") for group in _listed(groups)}


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _is(number: Contrast, exception: Mapping[str, str]) -> bool:
    """Return whether a number's own cell, its first, has the exception's row and column."""
    _, row, column = next(iter(number.weights))
    return exception.items() <= {"row": row, "column": column}.items()
