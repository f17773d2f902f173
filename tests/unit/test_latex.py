"""Every table fits the text of a NeurIPS page, which is 5.5 by 9 inches."""

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from fedssl.paper.latex import TEXT_HEIGHT, TEXT_WIDTH, text_width, to_latex
from fedssl.paper.products.registry import get_product, products
from fedssl.paper.published import heading, label_of
from fedssl.paper.text_table import TextTable
from tests.unit.figures import shipped_plan

_DOCUMENT = r"""\documentclass{article}
\usepackage[T1]{fontenc}
\usepackage{booktabs%s}
\usepackage[textwidth=5.5in,textheight=9in]{geometry}
\begin{document}
%s
\end{document}
"""
_COMPUTER_MODERN, _TIMES = "", ",times"
_WIDEST = "100.00 ± 10.00ⁱ (100.00)"


def tables() -> Iterator[tuple[str, TextTable]]:
    """Yield the tables of the papers with all rows run, and the widest number in each cell."""
    plan = shipped_plan()
    for kind, name in products(plan):
        if kind == "table":
            spec = get_product(kind).spec(plan, name)
            columns = [heading(c["column"], c["protocol"]) for c in spec["columns"]]
            yield (
                name,
                TextTable(
                    title=spec["title"],
                    header=("", *columns),
                    rows=tuple((row["row"], *[_WIDEST] * len(columns)) for row in spec["rows"]),
                    footers=(("n_eval", *["15,446 / 4,890"] * len(columns)),),
                    notes=("A note of a few words on a number. " * 12,) * 8,
                    groups=tuple(label_of(column["protocol"]) for column in spec["columns"]),
                ),
            )
    long = ("own recordings of many words", "speech commands and their background", *["x"] * 6)
    yield "long", TextTable("t", long, ((f"{long[0]} {long[1]}", *[_WIDEST] * 7),) * 90)


TABLES = dict(tables())


def plain(cell: str) -> str:
    """Return the text of a cell without commands, each of which is a sign or a mark."""
    cell = re.sub(r"\$\^\{\\(dagger|mathrm\{\w\})\}\$", "†", cell.replace(r"$\pm$", "±"))
    return re.sub(r"\\([&%#_{}$])", r"\1", cell).strip()


@pytest.mark.parametrize("name", TABLES)
def test_blocks_are_not_wider_than_the_text(name: str) -> None:
    for tabular in to_latex(TABLES[name], label="t").split(r"\begin{tabular}")[1:]:
        body = tabular[: tabular.index(r"\end{tabular}")]
        rows = [line.split("&") for line in re.findall(r"^ (.*)\\\\$", body, re.M)]
        columns = zip(*rows, strict=True)
        widths = [max(text_width(plain(cell)) for cell in column) for column in columns]
        if fixed := re.match(r"\{@\{\}p\{(\d+)pt\}", tabular):
            widths[0] = float(fixed[1])
        assert sum(widths) + 6 * (len(widths) - 1) <= TEXT_WIDTH


@pytest.mark.parametrize("name", TABLES)
def test_floats_are_not_higher_than_the_text(name: str) -> None:
    """Lines of 9.5 points: rows, and notes by their width."""
    text = to_latex(TABLES[name], label="t")
    for own in re.findall(r"\\begin\{table\*\}(.*?)\\end\{table\*\}", text, re.S):
        notes = re.findall(r"raggedright (.*)", own)
        lines = own.count("\\\\\n") + sum(1 + text_width(note) / TEXT_WIDTH for note in notes)
        assert 9.5 * lines < TEXT_HEIGHT


def test_no_cell_is_lost_when_a_table_is_split() -> None:
    table = TABLES["fassl_selection"]
    text = to_latex(table, label="t")
    assert text.count("100.00 $") == sum(len(row) - 1 for row in table.rows)
    assert text.count(r"\label{t}") == 1
    # Continued floats keep the number of the first.
    floats = text.count(r"\begin{table*}")
    assert floats > 1 and text.count(r"\addtocounter{table}{-1}") == floats - 1


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="pdflatex is not installed")
@pytest.mark.parametrize("font", [_COMPUTER_MODERN, _TIMES], ids=["cm", "times"])
def test_latex_finds_no_table_too_wide_or_too_high(font: str, tmp_path: Path) -> None:
    texts = (to_latex(table, label=f"t:{name}") for name, table in TABLES.items())
    file = tmp_path / "all.tex"
    file.write_text(_DOCUMENT % (font, "\\clearpage\n".join(texts)), encoding="utf-8")
    command = ["pdflatex", "-interaction=nonstopmode", file.name]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, errors="replace")
    log = file.with_suffix(".log").read_text(errors="replace")
    assert done.returncode == 0, log[-2000:]
    assert re.findall(r"Overfull \\hbox.*|.*Float too large.*", log) == []
