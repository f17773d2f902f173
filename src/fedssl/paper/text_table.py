"""Lay out a table as plain text and write it as CSV, Markdown, HTML and LaTeX.

pandas cannot write these files: `Styler.to_latex` has no blocks of columns, footer or notes, and
`DataFrame.to_markdown` escapes nothing.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from fedssl.files import atomic_write, write_text
from fedssl.paper.flags import flag_notes
from fedssl.paper.html_table import to_html
from fedssl.paper.latex import to_latex
from fedssl.paper.published import label_of
from fedssl.paper.table_footers import EMPTY, chance_notes, footers
from fedssl.paper.verdict import Verdict

SCALED = "scaled: not comparable with the paper"
# Behind a measured number. Letters, because a paper's fonts may lack other signs.
MARKS = {
    Verdict.REPRODUCED: "ʳ",
    Verdict.DIFFERS: "ᵈ",
    Verdict.INCONCLUSIVE: "ⁱ",
    Verdict.UNINFORMATIVE: "ᵘ",
    Verdict.NOT_COMPARABLE: "ⁿ",
    Verdict.SCALED: "†",
}
_LEGEND = "Mean over seeds ± half of its 95 % interval over samples and seeds"
_MARKDOWN = str.maketrans({character: f"\\{character}" for character in r"\`*_{}[]<>#|&~$"})


@dataclass(frozen=True)
class TextTable:
    """A table of unescaped text.

    Attributes:
        title: Name of the table and what it shows.
        caption: Caption of the table in a paper; the title if empty.
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
    caption: str = ""


def write_table_files(
    frame: pd.DataFrame,
    table: TextTable,
    files: Mapping[str, str | Path],
    *,
    label: str = "",
    printed: TextTable | None = None,
) -> None:
    """Write a frame as CSV (four decimals), and its text as Markdown, HTML and LaTeX.

    Args:
        frame: Rows of the CSV.
        table: The same rows as text.
        files: Path of each output: `csv` and, if they are wanted, `md`, `html` and `tex`.
        label: Label of the LaTeX table.
        printed: The text for LaTeX if it is another.
    """
    with atomic_write(files["csv"]) as path:
        frame.round(4).to_csv(path, index=False, lineterminator="\n")
    if "md" in files:
        write_text(files["md"], to_markdown(table))
    if "html" in files:
        write_text(files["html"], to_html(table))
    if "tex" in files:
        write_text(files["tex"], to_latex(printed or table, label=label))


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
    published = " (published number)" if frame["published"].notna().any() else ""
    legend = f"{_LEGEND}{published}."
    first = {"parameters": parameters} if parameters else {}
    name = spec["study"] if own else f"{spec['study']}, {table_name(spec['table'])}"
    return TextTable(
        title=f"{name}: {spec['title']}{scale_mark(spec)}",
        caption=f"{spec['title'].removesuffix('.')}. {legend}",
        header=("", *first, *columns),
        rows=tuple(
            (
                row,
                *(texts[row] for texts in first.values()),
                *(_entry(records.get((row, column))) for column in columns),
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
            *(legend, *mark_notes(frame), *scale_notes(spec), *chance_notes(frame["verdict"])),
            *(*flag_notes(frame), *notes),
        ),
        # The metric ends the label: "best R@1" and "R@1" are one group.
        groups=(*first, *(label_of(protocols[column]).split(" ")[-1] for column in columns)),
    )


def mark_notes(frame: pd.DataFrame) -> tuple[str, ...]:
    """Return a note on the marks of the verdicts that a table has; the dagger has its own."""
    used = [v for v in MARKS if v != Verdict.SCALED and v in set(frame["verdict"])]
    words = (f"{MARKS[verdict]} {verdict.replace('-', ' ')}" for verdict in used)
    return (f"{', '.join(words)}.",) if used else ()


def only_run(frame: pd.DataFrame) -> tuple[pd.DataFrame, str]:
    """Return the rows and columns of a table that have a number of their own, and what is left out.

    A column with published numbers only, or none, is left out like a row that was never run.
    """
    found = frame[frame["verdict"] != Verdict.NOT_RUN]
    parts = []
    for name in ("row", "column"):
        missing = frame[name].nunique() - found[name].nunique()
        if missing:
            parts.append(f"{missing} {name}{'s' if missing > 1 else ''}")
    kept = frame[frame["row"].isin(found["row"]) & frame["column"].isin(found["column"])]
    return kept, f"Left out because not run: {' and '.join(parts)}." if parts else ""


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


def _entry(record: Mapping[Any, Any] | None) -> str:
    """Return "measured ± half of the interval, mark, (published)" for one row of the CSV."""
    if record is None:
        return EMPTY
    published, measured = (
        "" if pd.isna(record[name]) else number_text(record[name], record["protocol"])
        for name in ("published", "measured")
    )
    printed = f" ({published})" if published else ""
    if record["verdict"] == Verdict.NOT_RUN:
        return f"not run{printed}"
    if record["verdict"] == Verdict.PUBLISHED_ONLY:
        return printed.strip()
    half_width = (record["high"] - record["low"]) / 2
    spread = "" if pd.isna(half_width) else f" ± {half_width:.2f}"
    return f"{measured}{spread}{MARKS.get(record['verdict'], '')}{printed}"


def markdown(text: str) -> str:
    """Return text with Markdown's special characters escaped."""
    return text.translate(_MARKDOWN)
