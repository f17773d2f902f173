"""The files of a table: CSV, Markdown, LaTeX, and what each seed measured."""

import csv
import json
import re
from html import escape
from pathlib import Path

import pytest
from markdown_it import MarkdownIt

from fedssl.paper.html_table import to_html
from fedssl.paper.latex import to_latex
from fedssl.paper.tables import COLUMNS
from fedssl.paper.text_table import TextTable, to_markdown
from tests.unit.made_up_tables import TASKS, cell, cells_of, spec, write


def test_the_seeds_file_has_what_each_seed_measured(written, tmp_path):
    entries = {(n["row"], n["column"]): n for n in json.loads(written["seeds"])["numbers"]}
    assert set(entries) == {("Ours", f"{column} kNN") for column in TASKS}
    assert entries["Ours", "IMG kNN"]["values"] == {"0": 49.0, "1": 50.00004}
    # sqrt(.495 x .505 / 400) = 2.5 points
    assert entries["Ours", "IMG kNN"]["error"] == pytest.approx(2.5, abs=0.02)


@pytest.fixture
def written(tmp_path: Path, published: Path) -> dict[str, str]:
    seeds = [cell(tmp_path, 0, img=49.0, c10=60.0), cell(tmp_path, 1, img=50.00004, c10=58.0)]
    return write(spec(*seeds), published, folder=tmp_path)


def test_csv_is_rounded_and_leaves_empty_what_was_not_run(written):
    lines = list(csv.DictReader(written["csv"].splitlines()))
    assert tuple(lines[0]) == COLUMNS
    first, later = lines[0], next(line for line in lines if line["row"] == "Later")
    assert (first["table"], first["published"], first["measured"]) == ("2", "50.0", "49.5")
    assert (first["std"], first["n_seeds"], first["n_eval"]) == ("0.7071", "2", "400")
    assert (later["measured"], later["std"], later["delta"], later["n_eval"]) == ("", "", "", "")
    assert later["verdict"] == "not-run"


def test_markdown_has_rows_down_columns_across_and_n_eval_last(written):
    assert cells_of(written["md"]) == [
        ["", "IMG kNN", "C-10 kNN", "Avg. kNN", "IMG L.P"],
        [
            "Ours",
            "49.50 ± 8.01ⁱ (50.00)",
            "59.00 ± 13.58ⁱ (60.00)",
            "54.25 ± 4.67ⁱ (55.00)",
            "not run (70.00)",
        ],
        ["Later", "not run (40.00)", "not run", "not run", "not run"],
        ["Theirs", "—", "(71.58)", "—", "—"],
        ["chance", "—", "—", "—", "—"],
        ["n_eval", "400", "400", "800", "—"],
    ]
    assert written["md"].startswith("### demo, table 2: A \\& B\n")
    assert "Ours, C-10 kNN: suspicious: a typo \\& more" in written["md"]
    assert "†" not in written["md"] + written["tex"]
    assert "scaled" not in written["md"] + written["tex"]


def test_scaled_numbers_say_so_in_the_title_and_at_each_number(tmp_path, published):
    given = spec(cell(tmp_path, 0, img=50.0, c10=60.0), scale="scaled")
    given["rows"][0]["cells"].append(cell(tmp_path, 1, img=50.0, c10=62.0))
    text = write(given, published, folder=tmp_path)
    title = text["md"].splitlines()[0]
    assert title.endswith("— scaled: not comparable with the paper (mini: 20 clients)")
    assert cells_of(text["md"])[1][1:3] == ["50.00 ± 4.88† (50.00)", "61.00 ± 13.57† (60.00)"]
    assert "† scaled: not comparable with the paper." in text["md"]
    assert text["tex"].count(r"$^{\dagger}$") == 4  # three numbers and the footnote
    assert "scaled: not comparable with the paper (mini: 20 clients)" in text["tex"]


HOSTILE = "a|b & 50 % of_x #1 {y} ~z^2 \\n $5 [27] <i>*j*</i> `k`"


def test_markdown_shows_special_characters_as_they_are():
    grid = TextTable(HOSTILE, ("", HOSTILE), ((HOSTILE, "[1]"),), (("n_eval", "_2_"),), (HOSTILE,))
    markdown = to_markdown(grid)
    assert cells_of(markdown) == [["", HOSTILE], [HOSTILE, "[1]"], ["n_eval", "_2_"]]
    inline = [t for t in MarkdownIt("commonmark").enable("table").parse(markdown) if t.children]
    for token in (inline[0], inline[-1]):
        assert "".join(child.content for child in token.children or []) == HOSTILE


def test_html_has_the_cells_and_shows_special_characters_as_they_are():
    grid = TextTable(HOSTILE, ("", HOSTILE), ((HOSTILE, "[1]"),), (("n_eval", "_2_"),), (HOSTILE,))
    page = to_html(grid)
    escaped = escape(HOSTILE, quote=False)
    assert "<i>" not in page and page.count(escaped) == 5  # title twice, head, row and note
    rows = re.findall(r"<tr>(.*?)</tr>", page)
    assert [re.findall(r"<t[hd].*?>(.*?)</t[hd]>", row) for row in rows] == [
        ["", escaped],
        [escaped, "[1]"],
        ["n_eval", "_2_"],
    ]


def test_latex_escapes_special_characters():
    grid = TextTable(HOSTILE, ("", HOSTILE), (("[27]", "1 ± 2†"),), (("n_eval", "3"),), (HOSTILE,))
    latex = to_latex(grid, label="tab:x")
    escaped = (
        r"a|b \& 50 \% of\_x \#1 \{y\} \textasciitilde{}z\textasciicircum{}2 \textbackslash{}n "
        r"\$5 {[}27{]} \textless{}i\textgreater{}*j*\textless{}/i\textgreater{} `k`"
    )
    assert rf"\caption{{{escaped}}}" in latex
    assert latex.count(r"{[}27{]}") == 3  # caption, header and row
    assert r"    {[}27{]} & 1 $\pm$ 2$^{\dagger}$ \\" in latex
    assert latex.isascii()


def test_latex_is_a_well_formed_booktabs_table(written):
    latex = written["tex"]
    openings = re.findall(r"\\begin\{([\w*]+)\}", latex)
    assert openings == ["table*", "tabular"]
    assert re.findall(r"\\end\{([\w*]+)\}", latex) == [*openings[1:], "table*"]
    bare = re.sub(r"\\[{}]", "", latex)
    depths = [bare[:i].count("{") - bare[:i].count("}") for i in range(len(bare) + 1)]
    assert min(depths) == depths[-1] == 0
    assert r"\label{tab:demo-2}" in latex


def test_a_note_has_the_marks_of_the_verdicts_that_a_table_has(written):
    assert "ⁱ inconclusive." in written["md"] and "ʳ" not in written["md"]
    assert r"$^{\mathrm{i}}$ inconclusive." in written["tex"]


def test_latex_leaves_out_what_was_not_run_and_says_so(written):
    rows = re.findall(r"^ +(.*?) ?& .*\\\\$", written["tex"], re.M)
    assert rows == ["", "Ours", "Theirs", "chance", r"n\_eval"]
    assert "not run (" not in written["tex"] and "L.P" not in written["tex"]
    assert "Left out because not run: 1 row and 1 column." in written["tex"]
    assert "Left out" not in written["md"]


def test_the_caption_can_stay_in_a_paper(written):
    words = "Mean over seeds $\\pm$ half of its 95 \\% interval over samples and seeds"
    assert rf"\caption{{A \& B. {words} (published number).}}" in written["tex"]
    assert written["tex"].startswith("% demo, table 2: A & B\n")


def test_latex_puts_blocks_of_one_protocol_below_each_other():
    header = ("", *(f"{name} kNN" for name in "abcdefgh"), "i L.P")
    groups = ("kNN",) * 8 + ("L.P",)
    table = TextTable("t", header, (("row", *["100.00 ± 10.00"] * 9),), groups=groups)
    latex = to_latex(table, label="tab:x")
    assert re.findall(r"tabular\}\{@\{\}(\w+)@", latex) == ["lrrrrr", "lrrr", "lr"]
