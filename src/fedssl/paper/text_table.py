"""A table as plain text, and the one place that turns it into Markdown or LaTeX.

pandas writes neither as a paper needs it: `Styler.to_latex` has no blocks of columns, footer or
notes, and `to_markdown` escapes nothing.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd

from fedssl.files import atomic_write, write_text
from fedssl.paper.published import metric_name
from fedssl.paper.verdict import Verdict

SCALED = "scaled: not comparable with the paper"
_EMPTY = "—"
_LATEX_COLUMNS = 4  # next to the row names, across a page
_MARKDOWN_SPECIAL = re.compile(r"([\\`*_{}\[\]<>#|&~$])")
_LATEX = {
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
    "[": "{[}",  # after a line break, LaTeX would read a bracket as its argument
    "]": "{]}",
    "±": r"$\pm$",
    "†": r"$^{\dagger}$",
    "—": "---",
}


@dataclass(frozen=True)
class TextTable:
    """A table as unescaped text; the first column names the rows, `footer` is the last row.

    `groups` has a word for each column after the first. LaTeX sets columns of one word side by
    side. Without it all columns are of one group.
    """

    title: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    footer: tuple[str, ...]
    notes: tuple[str, ...]
    groups: tuple[str, ...] = ()


def numbers_table(
    frame: pd.DataFrame, spec: Mapping[str, Any], *, notes: Iterable[str] = ()
) -> TextTable:
    """Return a built table with its rows down and columns across, and `n_eval` at the bottom."""
    records = {(record["row"], record["column"]): record for record in frame.to_dict("records")}
    rows, columns = list(frame["row"].unique()), column_order(frame)
    protocols = dict(zip(frame["column"], frame["protocol"], strict=True))
    printed = " (published)" if frame["published"].notna().any() else ""
    legend = f"Measured ± standard deviation over seeds{printed}."
    return TextTable(
        title=f"{spec['study']}, {table_name(spec['table'])}: {spec['title']}{scale_mark(spec)}",
        header=("", *columns),
        rows=tuple(
            (row, *(_entry(records.get((row, column))) for column in columns)) for row in rows
        ),
        footer=("n_eval", *(_n_eval(frame[frame["column"] == column]) for column in columns)),
        notes=(legend, *scale_notes(spec), *notes),
        groups=tuple(metric_name(protocols[column]) for column in columns),
    )


def with_column(table: TextTable, heading: str, texts: Mapping[str, str]) -> TextTable:
    """Return the table with a text for each row as its first column; without texts, as it is."""
    if not texts:
        return table
    (corner, *header), (end, *footer) = table.header, table.footer
    return replace(
        table,
        header=(corner, heading, *header),
        rows=tuple((row, texts[row], *cells) for row, *cells in table.rows),
        footer=(end, _EMPTY, *footer),
        groups=(heading, *table.groups),
    )


def column_order(frame: pd.DataFrame) -> list[str]:
    """Return the columns in the table's order, which the row with the most of them has."""
    rows = [list(part["column"]) for _, part in frame.groupby("row", sort=False)]
    longest = max(rows, key=len, default=[])
    return [*longest, *(name for name in frame["column"].unique() if name not in longest)]


def number_text(value: float, protocol: str) -> str:
    """Return percent with two decimals; a round, which is counted, whole unless it is a mean."""
    if protocol == "chosen-round":
        return f"{value:.1f}".removesuffix(".0")
    return f"{value:.2f}"


def table_name(table: str) -> str:
    """Return what a table is called: by its number, or by the figure whose numbers it holds."""
    if table.startswith("figure"):
        return table.replace("figure", "figure ")
    return f"table {table}"


def scale_mark(spec: Mapping[str, Any]) -> str:
    """Return what a title carries where its numbers are not at the paper's scale."""
    return "" if spec["scale"] == "paper" else f" — {SCALED} ({spec['scale_note']})"


def scale_notes(spec: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the footnote of the dagger that each scaled number carries."""
    return () if spec["scale"] == "paper" else (f"† {SCALED}.",)


def to_markdown(table: TextTable) -> str:
    """Return a Markdown heading, pipe table and notes."""
    rule = ["---", *["---:"] * (len(table.header) - 1)]
    body = [_escaped(row) for row in (*table.rows, table.footer) if row]
    lines = [f"| {' | '.join(cells)} |" for cells in (_escaped(table.header), rule, *body)]
    notes = [line for note in table.notes for line in ("", markdown(note))]
    return "\n".join([f"### {markdown(table.title)}", "", *lines, *notes, ""])


def to_latex(table: TextTable, *, label: str) -> str:
    """Return a LaTeX table for a document that loads booktabs.

    Columns of one protocol stand side by side, at most four; more follow below.
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
    """Return the places of the columns of each block."""
    groups = table.groups or ("",) * (len(table.header) - 1)
    blocks: list[list[int]] = []
    for place, group in enumerate(groups, start=1):
        same = place > 1 and group == groups[place - 2]
        if same and len(blocks[-1]) < _LATEX_COLUMNS:
            blocks[-1].append(place)
        else:
            blocks.append([place])
    return blocks


def _tabular(table: TextTable, block: Sequence[int]) -> list[str]:
    def row(cells: Sequence[str]) -> str:
        texts = [_latex(cells[place]) for place in (0, *block)]
        return f"    {' & '.join(texts)} \\\\"

    footer = [r"    \midrule", row(table.footer)] if table.footer else []
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


def _entry(record: Mapping[Any, Any] | None) -> str:
    """Return "measured ± std (published)" of one row of a built table."""
    if record is None:
        return _EMPTY
    published, measured, std = (
        "" if pd.isna(record[name]) else number_text(record[name], record["protocol"])
        for name in ("published", "measured", "std")
    )
    printed = f" ({published})" if published else ""
    if record["verdict"] == Verdict.NOT_RUN:
        return f"not run{printed}"
    if record["verdict"] == Verdict.PUBLISHED_ONLY:
        return printed.strip()
    spread = f" ± {std}" if std else ""
    dagger = "†" if record["verdict"] == Verdict.SCALED else ""
    return f"{measured}{spread}{dagger}{printed}"


def _n_eval(records: pd.DataFrame) -> str:
    counts = sorted(records["n_eval"].dropna().unique())
    return " / ".join(str(count) for count in counts) or _EMPTY


def _escaped(cells: Sequence[str]) -> list[str]:
    return [markdown(cell) for cell in cells]


def markdown(text: str) -> str:
    """Return text in which Markdown sees no markup."""
    return _MARKDOWN_SPECIAL.sub(r"\\\1", text)


def _latex(text: str) -> str:
    return "".join(_LATEX.get(character, character) for character in text)


def write_csv_and_markdown(
    frame: pd.DataFrame, table: TextTable, *, csv: str | Path, md: str | Path
) -> None:
    """Write a frame as CSV, rounded to four decimals, and its printed table as Markdown."""
    with atomic_write(csv) as path:
        frame.round(4).to_csv(path, index=False, lineterminator="\n")
    write_text(md, to_markdown(table))
