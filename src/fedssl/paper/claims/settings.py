"""What an entry of `claims.yaml` and of `contradictions.yaml` holds."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from annotated_types import MinLen

from fedssl.settings import Check, Choice, HyphenatedName, Key, Pattern, Positive, Text, Unique

Protocol = Literal[
    "knn",
    "linear-probe",
    "fine-tune",
    "retrieval",
    "best-round",
    "held-out-round",
    "chosen-round",
    "paired",
    "transfer",
]


def _is_list(entry: Any) -> int:
    return int(isinstance(entry, list))


OneOrMore = Annotated[
    Text | Annotated[tuple[Text, ...], MinLen(1), Unique()],
    Choice(_is_list),
]


@dataclass(frozen=True)
class Group:
    """Cells of a table: all rows times all columns."""

    table: Annotated[
        str, Pattern(r"^([0-9]+|[a-z][a-z0-9-]*)?$", "a table's number, another name, or empty")
    ]
    """The table's number, another name for a table without, or empty for the prose."""

    row: OneOrMore
    """A row, or a list of rows."""

    column: OneOrMore
    """A column, or a list of columns."""

    protocol: Protocol | None = None
    """Evaluation protocol; absent if the column is no accuracy."""

    over: Text | None = None
    """Row whose number in the same column is subtracted."""


Side = Annotated[Group | Annotated[tuple[Group, ...], MinLen(1)], Choice(_is_list)]


@dataclass(frozen=True)
class LeftOut:
    """Cells of the left side that are left out, by row, by column or by both."""

    row: str | None = None
    """Row left out."""

    column: str | None = None
    """Column left out, with its protocol's label as in the table CSVs: C-10 kNN."""


@dataclass(frozen=True)
class Comparison:
    """What holds between two sides; a comparison has a right side, or `by`, or both."""

    compare: Literal["each", "mean", "max", "min"]
    """`each` compares each cell with its counterpart (row by row, column by column; or with the
    only cell on the right); the others compare the mean, largest or smallest of each side.
    Measured, the largest or smallest is each seed's own, and one seed decides nothing."""

    left: Side
    """Group of cells, or a list of groups."""

    relation: Literal[">", ">=", "<", "<=", "=", "~"]
    """What holds between left and right plus `by`; = to the numbers' precision (0.01 points in
    print, 1 point measured), ~ within `within` points."""

    right: Side | None = None
    """Group of cells, or a list of groups."""

    by: float | None = None
    """Points added to the right side; 0 if absent."""

    within: Positive | None = None
    """Largest difference in points that ~ allows; with ~ only, which needs it."""

    exceptions: Annotated[
        tuple[Annotated[LeftOut, MinLen(1)], ...] | None, MinLen(1), Key("except")
    ] = None
    """Cells of the left side that `each` leaves out; with `each` only."""


def _has_right_side(entry: Mapping[str, Any]) -> bool:
    return "right" in entry or "by" in entry


def _says_within(entry: Mapping[str, Any]) -> bool:
    return ("within" in entry) is bool(entry["relation"] == "~")


def _excepts_of_each(entry: Mapping[str, Any]) -> bool:
    return "except" not in entry or bool(entry["compare"] == "each")


CheckedComparison = Annotated[
    Comparison,
    Check(_has_right_side, "compared with `right` or `by`"),
    Check(_says_within, "with `within` if the relation is ~, and without otherwise"),
    Check(_excepts_of_each, "without `except` unless it compares each"),
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
    """A sentence of a paper that its numbers can bear out or not."""

    id: HyphenatedName
    """Unique name."""

    paper: Literal["fssuavl", "fassl"]
    """Study that made the claim, whose tables are meant."""

    section: Text
    """Where in the paper."""

    quote: Text
    """The paper's words (of fassl, the review's), unchanged."""

    reading: Text
    """How the words became the predicate."""

    predicate: Predicate
    """A comparison, or several that are joined by "all" or "any"."""

    untabulated: bool | None = None
    """Whether the paper prints only some of the numbers that the claim is about; false if
    absent."""

    measured: Predicate | None = None
    """The predicate for measured numbers, where the paper's own numbers would decide by
    construction; `predicate` if absent."""


@dataclass(frozen=True)
class Claims:
    """Sentences of the papers that their numbers can bear out or not."""

    claims: Annotated[tuple[Claim, ...], MinLen(1)]
    """One entry per claim, in the papers' order."""


@dataclass(frozen=True)
class Contradiction:
    """Where a paper contradicts itself or the data, or leaves open what an implementation needs."""

    id: HyphenatedName
    """Unique name."""

    paper: Literal["fssuavl", "fassl", "code"]
    """`fssuavl`, `fassl` (we have only a review of this paper), or code that others published."""

    where: Text
    """Sections and tables, in short."""

    finding: Text
    """What the paper says, and what speaks against it."""

    decided: Text
    """What this project does about it."""


@dataclass(frozen=True)
class Contradictions:
    """Where the papers contradict themselves or the data, or leave open what is needed."""

    contradictions: Annotated[tuple[Contradiction, ...], MinLen(1)]
    """One entry per finding, in the papers' order."""
