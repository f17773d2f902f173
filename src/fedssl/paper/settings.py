"""Settings of tables and figures: which cells stand where, and which are compared."""

from dataclasses import dataclass
from typing import Annotated, Literal

from annotated_types import Ge, MinLen

from fedssl.grid.settings import AggregatorName, ArchName, MethodName, Split
from fedssl.settings import Modality, Pattern, Text, Unique, Word

ColumnProtocol = Literal[
    "knn",
    "linear-probe",
    "fine-tune",
    "retrieval",
    "best-round",
    "held-out-round",
    "chosen-round",
]
TableProtocol = Literal[ColumnProtocol, "transfer"]
RowSplit = Annotated[
    str,
    Pattern(
        r"^(a[0-9]{1,3}-i[0-9]{1,3}-b[0-9]{1,3}|a0-i100-b0\+a100-i0-b0)$",
        "a{x}-i{y}-b{z}, or the two specialists together, a0-i100-b0+a100-i0-b0",
    ),
]
FigureName = Annotated[
    str, Pattern(r"^[a-z]+_figure[0-9]+$", "<study>_figure<number>, for example fssuavl_figure3")
]


@dataclass(frozen=True)
class Row:
    """A row of a table, and the cell that stands in it."""

    row: str
    """The paper's row."""

    method: MethodName | None = None
    """Method of the cell."""

    arch: ArchName | None = None
    """Encoder of the cell."""

    aggregator: AggregatorName | None = None
    """Aggregator of the cell."""

    split: RowSplit | None = None
    """Modality split of the cell, or `a0-i100-b0+a100-i0-b0` for the two specialists together."""

    variant: Word | None = None
    """Variant of the cell."""

    parameters: str | None = None
    """Number of parameters that the paper prints, shown next to the encoder's own number."""

    random_init: Literal[True] | None = None
    """The encoder that nobody trained."""

    published_only: Literal[True] | None = None
    """Other people's work, not run here."""


@dataclass(frozen=True)
class Column:
    """A column of a table."""

    column: str
    """The paper's column."""

    tasks: Annotated[tuple[Word, ...], MinLen(1)]
    """Tasks or pairs; several are averaged."""

    protocol: ColumnProtocol | None = None
    """The only one of the table's protocols that the column has."""

    input: Literal["av", "v", "a"] | None = None
    """What of a pair kNN is shown: both, its image or its sound."""


@dataclass(frozen=True)
class NotHeldTo:
    """A published number that decides nothing."""

    row: Text
    """Its row."""

    column: Text
    """Its column."""

    protocol: TableProtocol
    """Its protocol."""


@dataclass(frozen=True)
class Table:
    """A table of published and measured numbers."""

    study: Word
    """Study whose cells stand in it."""

    table: Annotated[
        str,
        Pattern(r"^[a-z0-9]*$", "the paper's number as text, a word for a table without, or empty"),
    ]
    """The paper's number, as text; a word for a table that it does not number, and for the numbers
    behind a figure (`figure4a`); empty for numbers of its prose."""

    title: str
    """Caption."""

    protocols: Annotated[tuple[TableProtocol, ...], MinLen(1), Unique()]
    """Protocols, a group of columns each. `transfer` is table 4's, of pairs only. The last three
    need kept rounds: R@1 in the best round, R@1 with the round chosen on the other half of the
    samples, and the number of the best round."""

    columns: tuple[Column, ...]
    """Columns of the paper; may be empty with a `modality`, which adds columns."""

    rows: Annotated[tuple[Row, ...], MinLen(1)]
    """Rows of the paper."""

    modality: Modality | None = None
    """Further tasks of this modality in the study become columns of their own."""

    not_held_to: Annotated[tuple[NotHeldTo, ...] | None, MinLen(1)] = None
    """Published numbers, likely misprints or of unknown metric, that are shown next to ours and
    give no verdict."""


@dataclass(frozen=True)
class ContrastSide:
    """One of two cells: the axes in which it differs from the other, at least one."""

    method: MethodName | None = None
    """Method."""

    arch: ArchName | None = None
    """Encoder."""

    aggregator: AggregatorName | None = None
    """Aggregator."""

    split: Split | None = None
    """Modality split."""

    variant: Word | None = None
    """Variant."""


@dataclass(frozen=True)
class ContrastRow:
    """Two cells that are compared: the axes they share, and those in which they differ."""

    row: str
    """Name of the row."""

    before: Annotated[ContrastSide, MinLen(1)]
    """Axes of the cell that is subtracted, for example `aggregator: fedavg`."""

    after: Annotated[ContrastSide, MinLen(1)]
    """Axes of the cell it is subtracted from, for example `aggregator: fedavg-bb`."""

    modality: Modality | None = None
    """Only tasks of this modality."""

    method: MethodName | None = None
    """Method of both."""

    arch: ArchName | None = None
    """Encoder of both."""

    aggregator: AggregatorName | None = None
    """Aggregator of both."""

    split: Split | None = None
    """Modality split of both."""

    variant: Word | None = None
    """Variant of both."""


@dataclass(frozen=True)
class Contrast:
    """Cells that differ in one thing, subtracted."""

    study: Word
    """Study of the cells."""

    title: str
    """Caption."""

    protocol: Literal["knn", "linear-probe", "fine-tune", "retrieval"]
    """Which scores are compared."""

    rows: Annotated[tuple[ContrastRow, ...], MinLen(1)]
    """Pairs of cells."""


@dataclass(frozen=True)
class MapRow:
    """A row of maps."""

    row: str
    """The paper's row."""

    arch: ArchName
    """Encoder."""

    split: Split | None = None
    """Modality split, here or in the column."""


@dataclass(frozen=True)
class MapColumn:
    """A column of maps."""

    column: str
    """The paper's column."""

    split: Split | None = None
    """Modality split, here or in the row."""

    round: Annotated[int | None, Ge(0)] = None
    """One of the cell's `federation.kept_rounds`; the final model if absent."""


@dataclass(frozen=True)
class MapFigure:
    """A grid of t-SNE maps, each of the cell that its row and column name together."""

    study: Word
    """Study of the cells."""

    title: str
    """Caption."""

    rows: Annotated[tuple[MapRow, ...], MinLen(1)]
    """Rows of maps."""

    columns: Annotated[tuple[MapColumn, ...], MinLen(1)]
    """Columns of maps."""


@dataclass(frozen=True)
class SweepPanel:
    """One plot of a sweep."""

    title: str
    """What the panel shows."""

    x: str
    """What the percentage of clients with both modalities means; the label of the x axis."""

    table: str
    """Table whose rows are drawn; all panels have the same columns."""


@dataclass(frozen=True)
class SweepFigure:
    """Tables as curves over the percentage of clients with both modalities."""

    study: Word
    """Study of the cells."""

    title: str
    """Caption."""

    panels: Annotated[tuple[SweepPanel, ...], MinLen(1)]
    """Panels from left to right."""
