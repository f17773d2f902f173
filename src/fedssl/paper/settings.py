"""Settings of tables and figures: which cells they show, and which cells they compare."""

from dataclasses import dataclass
from typing import Annotated, Literal

from annotated_types import Ge, Gt, Le, MinLen

from fedssl.grid.settings import AggregatorName, ArchName, MethodName, Split
from fedssl.settings import Modality, Pattern, Text, Unique, Word

ContrastProtocol = Literal["knn", "knn-recalibrated", "linear-probe", "fine-tune", "retrieval"]
ColumnProtocol = Literal[ContrastProtocol, "best-round", "held-out-round", "chosen-round"]
TableProtocol = Literal[ColumnProtocol, "transfer"]
# Tables also have rows for the two specialists together, which are two cells.
RowSplit = Annotated[
    str,
    Pattern(
        r"^(a[0-9]{1,3}-i[0-9]{1,3}-b[0-9]{1,3}|a0-i100-b0\+a100-i0-b0)$",
        "a{x}-i{y}-b{z}, or the two specialists together, a0-i100-b0+a100-i0-b0",
    ),
]
ProductName = Annotated[str, Pattern(r"^[A-Za-z0-9_-]+$", "letters, digits, _ and -")]
FigureName = Annotated[
    str, Pattern(r"^[a-z]+_figure[0-9]+$", "<study>_figure<number>, for example fssuavl_figure3")
]


@dataclass(frozen=True)
class CellAxes:
    """The axes of a cell, each optional."""

    method: MethodName | None = None
    """Pretraining method."""

    arch: ArchName | None = None
    """Encoder architecture."""

    aggregator: AggregatorName | None = None
    """Aggregator."""

    split: Split | None = None
    """Modality split."""

    variant: Word | None = None
    """Variant of the settings."""


# `kw_only` lets required fields follow the optional axes of the base class.
@dataclass(frozen=True, kw_only=True)
class Row(CellAxes):
    """A row of a table, and the cell whose numbers it shows."""

    row: str
    """Name of the row, as in the paper."""

    split: RowSplit | None = None
    """Modality split, or `a0-i100-b0+a100-i0-b0` for the two specialists together."""

    parameters: str | None = None
    """Number of parameters as the paper prints it. It is shown next to the counted number."""

    random_init: Literal[True] | None = None
    """The row shows the encoder of `arch` before training: that of `variant`, or of `base`."""

    published_only: Literal[True] | None = None
    """The row quotes other people's work, which is not run here."""


@dataclass(frozen=True)
class Column:
    """A column of a table."""

    column: str
    """Name of the column, as in the paper."""

    tasks: Annotated[tuple[Word, ...], MinLen(1)]
    """Tasks or pairs. The column shows the average if there are several."""

    protocol: ColumnProtocol | None = None
    """Show the column for this protocol only. If absent, for each protocol of the table."""

    input: Literal["av", "v", "a"] | None = None
    """Input of kNN on a pair: image and sound (`av`), image (`v`) or sound (`a`)."""


@dataclass(frozen=True)
class Verdicts:
    """How measured numbers are compared with published ones."""

    resolution: Annotated[float, Gt(0.0), Le(100.0)]
    """Largest width, in points, of a conclusive prediction interval. A wider one gives the verdict
    `inconclusive`."""


@dataclass(frozen=True)
class NotHeldTo:
    """A published number that gets no verdict."""

    row: Text
    """Row of the number."""

    column: Text
    """Column of the number."""

    protocol: TableProtocol
    """Protocol of the number."""


@dataclass(frozen=True)
class Table:
    """A table of published and measured numbers."""

    study: Word
    """Study of the cells."""

    table: Annotated[
        str,
        Pattern(r"^[a-z0-9]*$", "the paper's number as text, a word for a table without, or empty"),
    ]
    """Number of the table in the paper, as text. A word for a table without a number and for the
    numbers behind a figure (`figure4a`). Empty for numbers from the paper's prose."""

    title: str
    """Caption."""

    protocols: Annotated[tuple[TableProtocol, ...], MinLen(1), Unique()]
    """Evaluation protocols. Each adds a group of columns. `transfer` is for pairs only (table 4).
    `knn-recalibrated` is kNN after batch norm took its statistics from the task's training split.
    `best-round`, `held-out-round` and `chosen-round` need kept rounds: R@1 in the best round, R@1
    in the round that was chosen on the other half of the samples, and the number of the best
    round."""

    columns: tuple[Column, ...]
    """Columns of the paper. May be empty if `modality` is given, which adds columns."""

    rows: Annotated[tuple[Row, ...], MinLen(1)]
    """Rows of the paper."""

    modality: Modality | None = None
    """Add a column for each further task of the study that has this modality."""

    not_held_to: Annotated[tuple[NotHeldTo, ...] | None, MinLen(1)] = None
    """Published numbers that are likely misprints or whose metric is unknown. They are shown next
    to the measured number but give no verdict."""


@dataclass(frozen=True)
class ContrastSide(CellAxes):
    """One side of a contrast: what it does not share with the other side."""

    protocol: ContrastProtocol | None = None
    """Evaluation protocol of this side's scores. If absent, that of the contrast."""


@dataclass(frozen=True, kw_only=True)
class ContrastRow(CellAxes):
    """Two cells that are compared: the axes that both share, and the axes in which they differ."""

    row: str
    """Name of the row."""

    before: Annotated[ContrastSide, MinLen(1)]
    """What is subtracted, for example `aggregator: fedavg`."""

    after: Annotated[ContrastSide, MinLen(1)]
    """What it is subtracted from, for example `aggregator: fedavg-bb`."""

    modality: Modality | None = None
    """Compare on tasks of this modality only."""


@dataclass(frozen=True)
class Contrast:
    """A table of differences between pairs of cells, or of protocols, that differ in one thing."""

    study: Word
    """Study of the cells."""

    title: str
    """Caption."""

    protocol: ContrastProtocol
    """Evaluation protocol of the scores."""

    rows: Annotated[tuple[ContrastRow, ...], MinLen(1)]
    """Pairs of cells."""


@dataclass(frozen=True)
class MapRow:
    """A row of maps."""

    row: str
    """Name of the row, as in the paper."""

    arch: ArchName
    """Encoder architecture."""

    split: Split | None = None
    """Modality split. Either the row or the column must have one."""


@dataclass(frozen=True)
class MapColumn:
    """A column of maps."""

    column: str
    """Name of the column, as in the paper."""

    split: Split | None = None
    """Modality split. Either the row or the column must have one."""

    round: Annotated[int | None, Ge(0)] = None
    """One of the cell's `federation.kept_rounds`. If absent, the final model."""


@dataclass(frozen=True)
class MapFigure:
    """A grid of t-SNE maps. Row and column together name the cell of a map."""

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
    """One panel of a sweep."""

    title: str
    """Title of the panel."""

    x: str
    """Label of the x axis, which is the percentage of clients with both modalities."""

    table: str
    """Table whose rows are the points. The tables of all panels have the same columns."""


@dataclass(frozen=True)
class SweepFigure:
    """A figure that plots tables over the percentage of clients with both modalities."""

    study: Word
    """Study of the cells."""

    title: str
    """Caption."""

    panels: Annotated[tuple[SweepPanel, ...], MinLen(1)]
    """Panels from left to right."""
