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
from typing import Any

from fedssl.paper.verdicts.contrast import Contrast, Key, mean_contrast
from fedssl.paper.verdicts.sides import Comparison, listed, pairs_of, sides_of

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
    """Differences that must each be at most `within` points."""

    margins: tuple[Contrast, ...]
    within: float


@dataclass(frozen=True)
class SomeAboveAll:
    """A table of margins, candidates by rivals: in some row every margin is above."""

    margins: tuple[tuple[Contrast, ...], ...]


@dataclass(frozen=True)
class Most:
    """Margins that are all at least 0 for most seeds, or above 0 if `strict`."""

    margins: tuple[Contrast, ...]
    strict: bool


@dataclass(frozen=True)
class AllOf:
    """Hypotheses that must all hold."""

    parts: tuple["Hypothesis", ...]


@dataclass(frozen=True)
class AnyOf:
    """Hypotheses; at least one must hold."""

    parts: tuple["Hypothesis", ...]


Leaf = Together | Every | Near | SomeAboveAll | Most
Hypothesis = Leaf | AllOf | AnyOf


def hypothesis_of(predicate: Mapping[str, Any]) -> Hypothesis:
    """Return a predicate of `claims.yaml` as one hypothesis.

    Raises:
        ValueError: The sides or exceptions of an `each` do not match, or `max` or `min` asks for
            equality.
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
    for leaf in leaves_of(hypothesis):
        if isinstance(leaf, SomeAboveAll):
            for row in leaf.margins:
                yield from row
        else:
            yield from leaf.margins


def leaves_of(hypothesis: Hypothesis) -> Iterator[Leaf]:
    """Yield the hypotheses that `all` and `any` join."""
    if isinstance(hypothesis, AllOf | AnyOf):
        for part in hypothesis.parts:
            yield from leaves_of(part)
    else:
        yield hypothesis


def _comparison(comparison: Comparison) -> Hypothesis:
    relation, by = comparison["relation"], comparison.get("by", 0.0)
    if comparison["compare"] in ("max", "min"):
        return _extreme(comparison)
    pairs = pairs_of(comparison)
    margins = tuple(_margin(relation, left, right, by=by) for left, right in pairs)
    if any(group.get("protocol") == _ROUNDS for group in listed(comparison["left"])):
        return Most(margins, strict=relation in ("<", ">"))
    if relation in _NEAR:
        return Near(margins, comparison.get("within", EQUAL))
    apart = by != 0 or any(_is_one(side) for side in zip(*pairs, strict=True))
    return Every(margins) if apart else Together(margins)


def _extreme(comparison: Comparison) -> SomeAboveAll:
    """Return which candidate must beat which rivals: max L > max R if one of L is above all R.

    min L > min R if one of R is below all L; the relations < and <= trade the sides.
    """
    relation, how, by = comparison["relation"], comparison["compare"], comparison.get("by", 0.0)
    if relation in _NEAR:
        raise ValueError(
            f"`compare: {how}` with the relation {relation} has no test; use >, >=, < or <="
        )
    left, right = sides_of(comparison)
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


def _is_one(side: Sequence[Contrast]) -> bool:
    """Return whether a side of all pairs is the same number."""
    return len({tuple(number.weights.items()) for number in side}) == 1
