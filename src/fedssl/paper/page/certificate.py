"""Parse the Markdown of the certificate into blocks for a template of the page."""

import re
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Any

from fedssl.paper.certificate import NOT_RUN_SECTION

# Only the Markdown that `fedssl.paper.certificate` writes. A complete parser would be one more
# dependency of every run.
_SPAN = re.compile(r"\\(?P<escaped>.)|\*\*(?P<strong>.+?)\*\*|`(?P<code>.+?)`|(?P<plain>.)")
_STYLES = {"strong", "code"}
_KINDS = {"#": "heading", "|": "table", "-": "list", " ": "code", "": "gap"}
Block = dict[str, Any]
Spans = list[tuple[str, str]]  # (style, text)


def read_certificate(path: str | Path) -> list[Block]:
    """Return the blocks below the certificate's title: headings, tables, lists, code and texts.

    A text is a list of (style, text). The style is strong, code or empty. The list of what was
    not run is a block without content, because the page shows it as a map.
    """
    lines = Path(path).read_text(encoding="utf-8").splitlines()[1:]
    blocks: list[Block] = []
    is_map = False
    for kind, group in groupby(lines, key=_kind):
        if kind == "gap":
            continue
        block = _block(kind, list(group))
        if kind == "heading":
            is_map = block["items"] == [[("", NOT_RUN_SECTION)]]
        blocks.append({"kind": "not-run"} if is_map and kind != "heading" else block)
    return blocks


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
