"""Write a table as LaTeX that fits a page of a paper: in width, and in height.

The page is that of NeurIPS: a text of 5.5 by 9 inches. Widths are those of Computer Modern, which
is wider than Times.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from math import ceil
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fedssl.paper.text_table import TextTable

TEXT_WIDTH, TEXT_HEIGHT = 5.5 * 72.27, 9 * 72.27  # points
_SIZE, _LINE = 8.0, 9.5  # points: \footnotesize, and the distance of its lines
_CAPTION_SIZE, _CAPTION_LINE = 10.0, 11.0
_GAP = 2 * 3.0  # points between columns: twice \tabcolsep
_RULES = 14.0  # points: the rules of a block with the space around them, and the gap above it
_RESERVE = 24.0  # points of a page that stay free, since heights are estimates
_LONGEST_NAME = 0.36 * TEXT_WIDTH  # longer names of rows are broken
_HEADER_WIDTH = 44.0  # points: headers are broken into lines that are wider than their numbers
# em of cmr8: the width of each character, rounded up.
_EM = {
    0.32: "!',.:;`ijlf",
    0.42: "-I()[]rts ",
    0.5: "cez",
    0.56: "?0123456789$*/agokqvxyJ",
    0.66: "SZLbdhnpu",
    0.78: "BCEFPTRwʳᵈⁱᵘⁿ†",
    0.83: 'ADGHKNOQUVXY&+<>=~^_\\{}"±',
    1.09: "mMW%#@|—",
}
_WIDTHS = {character: em for em, characters in _EM.items() for character in characters}
_SIGNS = str.maketrans(
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
        "ʳ": r"$^{\mathrm{r}}$",
        "ᵈ": r"$^{\mathrm{d}}$",
        "ⁱ": r"$^{\mathrm{i}}$",
        "ᵘ": r"$^{\mathrm{u}}$",
        "ⁿ": r"$^{\mathrm{n}}$",
        "—": "---",
    }
)


def latex(text: str) -> str:
    """Return text with LaTeX's special characters escaped."""
    return text.translate(_SIGNS)


def text_width(text: str, *, size: float = _SIZE) -> float:
    """Return the width of a text in points; it is never less than in Computer Modern or Times."""
    return size * sum(_WIDTHS.get(character, 1.08) for character in text)


def to_latex(table: TextTable, *, label: str) -> str:
    """Return a LaTeX table for a document that loads booktabs.

    A table that is too wide becomes several blocks below each other, and one that is too high
    several floats with one number.
    """
    caption = table.caption or table.title
    notes = [note for note in table.notes if not caption.endswith(note)]
    pieces = [*_blocks(table), *map(_note, notes)]
    lines = [f"% {table.title}".encode("ascii", "replace").decode(), r"% \usepackage{booktabs}"]
    for place, own in enumerate(_floats(pieces, caption)):
        lines += _float(own, caption, label=label, place=place)
    return "\n".join([*lines, ""])


Piece = tuple[float, list[str]]  # height in points, and lines of LaTeX


def _float(pieces: Sequence[list[str]], caption: str, *, label: str, place: int) -> list[str]:
    # A continued float keeps the number of the first and has no label.
    head = (
        [rf"  \caption{{{latex(caption)}}}", rf"  \label{{{label}}}"]
        if place == 0
        else [r"  \addtocounter{table}{-1}", r"  \caption{(continued)}"]
    )
    return [
        r"\begin{table*}[htbp]",
        *head,
        r"  \centering\footnotesize\setlength{\tabcolsep}{3pt}",
        *(line for piece in pieces for line in piece),
        r"\end{table*}",
    ]


def _floats(pieces: Sequence[Piece], caption: str) -> Iterator[list[list[str]]]:
    """Yield the pieces of each float, as many as fit a page."""
    left, own = TEXT_HEIGHT - _RESERVE - _caption_height(caption), list[list[str]]()
    for height, lines in pieces:
        if height > left and own:
            yield own
            left, own = TEXT_HEIGHT - _RESERVE - 2 * _CAPTION_LINE, []
        own.append(lines)
        left -= height
    yield own


def _caption_height(caption: str) -> float:
    lines = ceil(text_width(f"Table 99: {caption}", size=_CAPTION_SIZE) / TEXT_WIDTH)
    return _CAPTION_LINE * (lines + 1)


def _note(text: str) -> Piece:
    lines = ceil(1.05 * text_width(text) / TEXT_WIDTH)
    return _LINE * lines + 3.0, [rf"  \par\smallskip\raggedright {latex(text)}"]


def _blocks(table: TextTable) -> Iterator[Piece]:
    """Yield the blocks of a table: columns of one group that fit the width, and rows the height."""
    columns = [_column_width(table, n) for n in range(1, len(table.header))]
    names = [row[0] for row in (*table.rows, *table.footers)]
    name = min(_LONGEST_NAME, max((text_width(text) for text in names), default=0.0))
    room = TEXT_WIDTH - name - _GAP
    groups = table.groups or ("",) * len(columns)
    # The page holds this many lines next to a caption of some lines.
    most = int((TEXT_HEIGHT - _RESERVE - 8 * _CAPTION_LINE - _RULES) / _LINE)
    for _, run in groupby(range(len(columns)), key=lambda n: groups[n]):
        for block in _fitting(list(run), columns, room=room):
            heads = {n + 1: _broken(table.header[n + 1], _head_room(columns[n])) for n in block}
            head = max((len(lines) for lines in heads.values()), default=1)
            depth = max((len(_broken(text, name)) for text in names), default=1)
            step = (most - head) // depth - len(table.footers)
            for start in range(0, max(1, len(table.rows)), step):
                rows = table.rows[start : start + step]
                is_last = start + step >= len(table.rows)
                yield _block(rows, table.footers if is_last else (), heads, name=name)


def _fitting(run: Sequence[int], widths: Sequence[float], *, room: float) -> Iterator[list[int]]:
    block: list[int] = []
    for number in run:
        if block and sum(widths[n] + _GAP for n in (*block, number)) > room:
            yield block
            block = []
        block.append(number)
    yield block


def _column_width(table: TextTable, number: int) -> float:
    cells = [row[number] for row in (*table.rows, *table.footers)]
    numbers = max((text_width(cell) for cell in cells), default=0.0)
    lines = _broken(table.header[number], _head_room(numbers))
    return max(numbers, *(text_width(line) for line in lines))


def _head_room(width: float) -> float:
    return max(width, _HEADER_WIDTH)


def _broken(text: str, room: float) -> list[str]:
    """Return a text as lines that fit, broken between words."""
    lines = [""]
    for word in text.split(" "):
        longer = f"{lines[-1]} {word}".strip()
        if lines[-1] and text_width(longer) > room:
            lines.append(word)
        else:
            lines[-1] = longer
    return lines


def _block(
    rows: Sequence[Sequence[str]],
    footers: Sequence[Sequence[str]],
    heads: Mapping[int, list[str]],
    *,
    name: float,
) -> Piece:
    def line(row: Sequence[str]) -> str:
        # Each block repeats the names of the rows, which are column 0.
        texts = [latex(row[number]) for number in (0, *heads)]
        return f"    {' & '.join(texts)} \\\\"

    depth = max((len(lines) for lines in heads.values()), default=1)
    # The last lines of all headers are on one level.
    levels = ([""] * (depth - len(lines)) + lines for lines in heads.values())
    header = [
        f"    {' & '.join(['', *map(latex, level)])} \\\\" for level in zip(*levels, strict=True)
    ]
    broken = sum(len(_broken(row[0], name)) for row in (*rows, *footers))
    first = rf"p{{{name:.0f}pt}}" if name == _LONGEST_NAME else "l"
    footer = [r"    \midrule", *map(line, footers)] if footers else []
    lines = [
        rf"  \par\medskip\begin{{tabular}}{{@{{}}{first}{'r' * len(heads)}@{{}}}}",
        r"    \toprule",
        *header,
        r"    \midrule",
        *map(line, rows),
        *footer,
        r"    \bottomrule",
        r"  \end{tabular}",
    ]
    return _RULES + _LINE * (depth + broken), lines
