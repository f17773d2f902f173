"""Declare the entries of `claims.yaml` and `contradictions.yaml`."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from annotated_types import MinLen

from fedssl.paper.settings import ColumnProtocol
from fedssl.settings import Check, Choice, HyphenatedName, Key, Pattern, Positive, Text, Unique

Protocol = Literal[ColumnProtocol, "paired", "transfer"]


def _is_list(entry: Any) -> int:
    return int(isinstance(entry, list))


OneOrMore = Annotated[Text | Annotated[tuple[Text, ...], MinLen(1), Unique()], Choice(_is_list)]


@dataclass(frozen=True)
class Group:
    """Cells of a table: every combination of the rows and columns."""

    table: Annotated[
        str, Pattern(r"^([0-9]+|[a-z][a-z0-9-]*)?$", "a table's number, another name, or empty")
    ]
    """Number of the table, the name of a table without a number, or empty for the prose."""

    row: OneOrMore
    """A row, or a list of rows."""

    column: OneOrMore
    """A column, or a list of columns."""

    protocol: Protocol | None = None
    """Evaluation protocol. Absent if the column is not an accuracy."""

    over: Text | None = None
    """Row whose number in the same column is subtracted."""


Side = Annotated[Group | Annotated[tuple[Group, ...], MinLen(1)], Choice(_is_list)]


@dataclass(frozen=True)
class LeftOut:
    """Cells of the left side that are not compared, by row, by column or by both."""

    row: str | None = None
    """Row to leave out."""

    column: str | None = None
    """Column to leave out, with the label of its protocol as in the CSVs: C-10 kNN."""


@dataclass(frozen=True)
class Comparison:
    """A relation between two sides. A comparison has a right side, `by`, or both."""

    compare: Literal["each", "mean", "max", "min"]
    """`each` compares each cell with its counterpart, row by row and column by column, or with the
    only cell on the right. The others compare the mean, largest or smallest cell of each side. For
    measured numbers `max` and `min` ask whether one cell of a side is above all of the other."""

    left: Side
    """Group of cells, or a list of groups."""

    relation: Literal[">", ">=", "<", "<=", "=", "~"]
    """Relation between left and right plus `by`. `=` allows the precision of the numbers (0.01
    points published, 1 point measured), and `~` allows `within` points."""

    right: Side | None = None
    """Group of cells, or a list of groups."""

    by: float | None = None
    """Points added to the right side. 0 if absent."""

    within: Positive | None = None
    """Largest difference in points that `~` allows. Required with `~`, and not allowed without."""

    exceptions: Annotated[
        tuple[Annotated[LeftOut, MinLen(1)], ...] | None, MinLen(1), Key("except")
    ] = None
    """Cells of the left side that `each` leaves out. Allowed with `each` only."""


CheckedComparison = Annotated[
    Comparison,
    Check(lambda entry: "right" in entry or "by" in entry, "compared with `right` or `by`"),
    Check(
        lambda entry: ("within" in entry) is (entry["relation"] == "~"),
        "with `within` if the relation is ~, and without otherwise",
    ),
    Check(
        lambda entry: "except" not in entry or entry["compare"] == "each",
        "without `except` unless it compares each",
    ),
]


@dataclass(frozen=True)
class AllOf:
    """Comparisons that must all hold."""

    parts: Annotated[tuple[CheckedComparison, ...], MinLen(1), Key("all")]
    """Comparisons that must all hold."""


@dataclass(frozen=True)
class AnyOf:
    """Comparisons; at least one must hold."""

    parts: Annotated[tuple[CheckedComparison, ...], MinLen(1), Key("any")]
    """Comparisons; at least one must hold."""


def _kind_of_predicate(entry: Any) -> int:
    keys = entry if isinstance(entry, Mapping) else ()
    return 1 if "all" in keys else 2 if "any" in keys else 0


Predicate = Annotated[CheckedComparison | AllOf | AnyOf, Choice(_kind_of_predicate)]


@dataclass(frozen=True)
class Claim:
    """A sentence of a paper that can be tested on numbers."""

    id: HyphenatedName
    """Unique name."""

    paper: Literal["fssuavl", "fassl"]
    """Paper that makes the claim. Its tables are used."""

    section: Text
    """Section of the paper."""

    quote: Text
    """The paper's words, unchanged. For fassl the words of the review."""

    reading: Text
    """How we translated the words into the predicate."""

    predicate: Predicate
    """A comparison, or several joined by `all` or `any`."""

    untabulated: bool | None = None
    """Whether the paper prints only some of the numbers of the claim. False if absent."""

    measured: Predicate | None = None
    """Predicate for measured numbers, if the paper's own numbers would decide `predicate` by
    construction. `predicate` if absent."""


@dataclass(frozen=True)
class Claims:
    """The papers' claims."""

    claims: Annotated[tuple[Claim, ...], MinLen(1)]
    """One entry per claim, in the papers' order."""


@dataclass(frozen=True)
class Contradiction:
    """A place where a paper contradicts itself or the data, or omits what is needed."""

    id: HyphenatedName
    """Unique name."""

    paper: Literal["fssuavl", "fassl", "code"]
    """`fssuavl`, `fassl` (we have only a review of this paper), or code that others published."""

    where: Text
    """Sections and tables."""

    finding: Text
    """What the paper says, and what contradicts it."""

    decided: Text
    """What this project does instead."""

    cells: tuple[Text, ...] = ()
    """The published numbers that it concerns, spelled `table 2: FVSSL R-18, C-10 F.T`. None if
    absent."""


@dataclass(frozen=True)
class Contradictions:
    """Places where the papers contradict themselves or the data, or omit what is needed."""

    contradictions: Annotated[tuple[Contradiction, ...], MinLen(1)]
    """One entry per finding, in the papers' order."""
