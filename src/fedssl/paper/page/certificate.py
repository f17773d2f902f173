"""Parse the Markdown of the certificate into blocks for a template of the page."""

import re
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Any

# Only the Markdown that `fedssl.paper.certificate` writes. A complete parser would be one more
# dependency of every run.
_SPAN = re.compile(r"\\(?P<escaped>.)|\*\*(?P<strong>.+?)\*\*|`(?P<code>.+?)`|(?P<plain>.)")
_STYLES = {"strong", "code"}
_KINDS = {"#": "heading", "|": "table", "-": "list", " ": "code", "": "gap"}
Block = dict[str, Any]
Spans = list[tuple[str, str]]  # (style, text)


def read_certificate(path: str | Path) -> list[Block]:
    """Return the blocks below the certificate's title: headings, tables, lists, code and texts.

    A text is a list of (style, text). The style is strong, code or empty.
    """
    lines = Path(path).read_text(encoding="utf-8").splitlines()[1:]
    groups = groupby(lines, key=_kind)
    return [_block(kind, list(group)) for kind, group in groups if kind != "gap"]


def _kind(line: str) -> str:
    return _KINDS.get(line[:1], "text")


def _block(kind: str, lines: list[str]) -> Block:
    if kind == "code":
        return {"kind": kind, "text": "\n".join(line.strip() for line in lines)}
    if kind == "table":
        header, _, *rows = ([_spans(cell) for cell in _cells(line)] for line in lines)
        return {"kind": kind, "header": header if any(header) else None, "rows": rows}
    return {"kind": kind, "items": [_spans(line.removeprefix("- ").lstrip("# ")) for line in lines]}


def _cells(line: str) -> list[str]:
    """Return the cells of a table's line."""
    # A bar inside a text is escaped, so " | " always separates two cells.
    return [cell.strip() for cell in line[1:-1].split(" | ")]


def _spans(text: str) -> Spans:
    pieces = []
    for match in _SPAN.finditer(text):
        style = str(match.lastgroup)
        pieces.append((style if style in _STYLES else "", match[style]))
    # Plain text is matched one character at a time. Join the pieces of one style.
    runs = groupby(pieces, key=itemgetter(0))
    return [(style, "".join(piece for _, piece in run)) for style, run in runs]
