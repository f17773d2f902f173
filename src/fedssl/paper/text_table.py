"""Lay out a table as plain text and write it as CSV, Markdown and LaTeX.

pandas cannot write these files: `Styler.to_latex` has no blocks of columns, footer or notes, and
`DataFrame.to_markdown` escapes nothing.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

import pandas as pd

from fedssl.files import atomic_write, write_text
from fedssl.paper.flags import flag_notes
from fedssl.paper.published import label_of
from fedssl.paper.table_footers import EMPTY, chance_notes, footers
from fedssl.paper.verdict import Verdict

SCALED = "scaled: not comparable with the paper"
_OWN_LEGEND = (
    "Mean over seeds in percent, and its 95 % interval over the scored samples (Wilson) and, with "
    "several seeds, their spread (Student's t)."
)
_LATEX_COLUMNS = 4  # as many as fit next to the row names on a page
_MARKDOWN = str.maketrans({character: f"\\{character}" for character in r"\`*_{}[]<>#|&~$"})
_LATEX = str.maketrans(
    {
        "\\": r"\textbackslash{}",
        "&": r"\&",
        "%": r"\%",
        "$": r"\$",
        "#": r"\#",
        "_": r"\_",
        "{": r"\{",
        "}": r"\}",
        "~": r"\textasciitilde{}",
        "^": r"\textasciicircum{}",
        "<": r"\textless{}",
        ">": r"\textgreater{}",
        # LaTeX reads a bracket after a line break `\\` as the argument of the break.
        "[": "{[}",
        "]": "{]}",
        "±": r"$\pm$",
        "†": r"$^{\dagger}$",
        "—": "---",
    }
)


@dataclass(frozen=True)
class TextTable:
    """A table of unescaped text.

    Attributes:
        title: Caption.
        header: Names of the columns. The first column holds the names of the rows.
        rows: Cells of each row, as many as `header` has.
        footers: Last rows, below a rule.
        notes: Footnotes.
        groups: A word for each column after the first. LaTeX sets columns with the same word side
            by side. Empty for a single group.
    """

    title: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    footers: tuple[tuple[str, ...], ...] = ()
    notes: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()


def write_table_files(
    frame: pd.DataFrame, table: TextTable, files: Mapping[str, str | Path], *, label: str = ""
) -> None:
    """Write a frame as CSV (four decimals), and its text as Markdown and LaTeX.

    Args:
        frame: Rows of the CSV.
        table: The same rows as text.
        files: Path of each output: `csv` and, if they are wanted, `md` and `tex`.
        label: Label of the LaTeX table.
    """
    with atomic_write(files["csv"]) as path:
        frame.round(4).to_csv(path, index=False, lineterminator="\n")
    if "md" in files:
        write_text(files["md"], to_markdown(table))
    if "tex" in files:
        write_text(files["tex"], to_latex(table, label=label))


def numbers_table(
    frame: pd.DataFrame,
    spec: Mapping[str, Any],
    *,
    notes: Iterable[str] = (),
    parameters: Mapping[str, str] | None = None,
) -> TextTable:
    """Return the text of a table that `tables.build_table` made, above its chance and `n_eval`.

    `parameters` gives a text per row for a first column of that name, which the CSV lacks.
    """
    records = {(record["row"], record["column"]): record for record in frame.to_dict("records")}
    rows, columns = list(frame["row"].unique()), column_order(frame)
    protocols = dict(zip(frame["column"], frame["protocol"], strict=True))
    own = spec.get("own", False)
    printed = " (published)" if frame["published"].notna().any() else ""
    legend = _OWN_LEGEND if own else f"Measured ± standard deviation over seeds{printed}."
    first = {"parameters": parameters} if parameters else {}
    name = spec["study"] if own else f"{spec['study']}, {table_name(spec['table'])}"
    return TextTable(
        title=f"{name}: {spec['title']}{scale_mark(spec)}",
        header=("", *first, *columns),
        rows=tuple(
            (
                row,
                *(texts[row] for texts in first.values()),
                *(_entry(records.get((row, column)), own=own) for column in columns),
            )
            for row in rows
        ),
        footers=tuple(
            (
                name,
                *(EMPTY for _ in first),
                *(text(frame[frame["column"] == column]) for column in columns),
            )
            for name, text in footers(frame).items()
        ),
        notes=(
            *(legend, *scale_notes(spec), *chance_notes(frame["verdict"])),
            *(*flag_notes(frame), *notes),
        ),
        # The metric ends the label: "best R@1" and "R@1" are one group.
        groups=(*first, *(label_of(protocols[column]).split(" ")[-1] for column in columns)),
    )


def column_order(frame: pd.DataFrame) -> list[str]:
    """Return the columns in the order of the row that has most of them, then the others."""
    # Rows may lack columns, so the order of first appearance would not be the paper's.
    rows = [list(part["column"]) for _, part in frame.groupby("row", sort=False)]
    longest = max(rows, key=len, default=[])
    return [*longest, *(name for name in frame["column"].unique() if name not in longest)]


def number_text(value: float, protocol: str) -> str:
    """Return a percentage with two decimals, or the number of a round with at most one."""
    if protocol == "chosen-round":
        return f"{value:.1f}".removesuffix(".0")
    return f"{value:.2f}"


def table_name(table: str) -> str:
    """Return the printed name of a table, such as "table 3", or of the figure behind it."""
    if table.startswith("figure"):
        return table.replace("figure", "figure ")
    return f"table {table}"


def scale_mark(spec: Mapping[str, Any]) -> str:
    """Return the end of a title that says that the numbers are scaled; empty at paper scale."""
    return "" if spec["scale"] == "paper" else f" — {SCALED} ({spec['scale_note']})"


def scale_notes(spec: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the footnote that explains the dagger of scaled numbers; empty at paper scale."""
    return () if spec["scale"] == "paper" else (f"† {SCALED}.",)


def to_markdown(table: TextTable) -> str:
    """Return a Markdown heading, a pipe table and the notes."""
    rule = ["---", *["---:"] * (len(table.header) - 1)]
    rows = [[markdown(cell) for cell in row] for row in (*table.rows, *table.footers)]
    header = [markdown(cell) for cell in table.header]
    lines = [f"| {' | '.join(cells)} |" for cells in (header, rule, *rows)]
    notes = [line for note in table.notes for line in ("", markdown(note))]
    return "\n".join([f"### {markdown(table.title)}", "", *lines, *notes, ""])


def to_latex(table: TextTable, *, label: str) -> str:
    """Return a LaTeX table for a document that loads booktabs.

    A wide table becomes several blocks below each other. A block has at most four columns, all of
    one group.
    """
    blocks = [line for block in _latex_blocks(table) for line in _tabular(table, block)]
    notes = [rf"  \par\smallskip {_latex(note)}" for note in table.notes]
    lines = [
        r"% \usepackage{booktabs}",
        r"\begin{table*}[htbp]",
        rf"  \caption{{{_latex(table.title)}}}",
        rf"  \label{{{label}}}",
        r"  \centering\footnotesize\setlength{\tabcolsep}{4pt}",
        *blocks,
        *notes,
        r"\end{table*}",
        "",
    ]
    return "\n".join(lines)


def _latex_blocks(table: TextTable) -> list[list[int]]:
    """Return the column numbers of each block."""
    groups = table.groups or ("",) * (len(table.header) - 1)
    runs = [list(run) for _, run in groupby(range(1, len(groups) + 1), key=lambda n: groups[n - 1])]
    return [run[i : i + _LATEX_COLUMNS] for run in runs for i in range(0, len(run), _LATEX_COLUMNS)]


def _tabular(table: TextTable, block: Sequence[int]) -> list[str]:
    def row(cells: Sequence[str]) -> str:
        # Each block repeats the names of the rows, which are column 0.
        texts = [_latex(cells[number]) for number in (0, *block)]
        return f"    {' & '.join(texts)} \\\\"

    footer = [r"    \midrule", *map(row, table.footers)] if table.footers else []
    return [
        rf"  \par\medskip\begin{{tabular}}{{l{'r' * len(block)}}}",
        r"    \toprule",
        row(table.header),
        r"    \midrule",
        *map(row, table.rows),
        *footer,
        r"    \bottomrule",
        r"  \end{tabular}",
    ]


def _entry(record: Mapping[Any, Any] | None, *, own: bool) -> str:
    """Return "measured ± std (published)" for one row of the CSV; "measured [low, high]" if own."""
    if record is None:
        return EMPTY
    published, measured, std = (
        "" if pd.isna(record[name]) else number_text(record[name], record["protocol"])
        for name in ("published", "measured", "std")
    )
    printed = f" ({published})" if published else ""
    if record["verdict"] == Verdict.NOT_RUN:
        return f"not run{printed}"
    if record["verdict"] == Verdict.PUBLISHED_ONLY:
        return printed.strip()
    dagger = "†" if record["verdict"] == Verdict.SCALED else ""
    if own and not pd.isna(record["low"]):
        return f"{measured}{dagger} [{record['low']:.2f}, {record['high']:.2f}]"
    spread = f" ± {std}" if std else ""
    return f"{measured}{spread}{dagger}{printed}"


def markdown(text: str) -> str:
    """Return text with Markdown's special characters escaped."""
    return text.translate(_MARKDOWN)


def _latex(text: str) -> str:
    return text.translate(_LATEX)
