"""config/published/*.csv, table by table, against the papers."""

import re
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest

from fedssl.errors import UserError
from fedssl.paper.published import COLUMNS, printed_averages, read_published

ROOT = Path(__file__).parents[2]
PUBLISHED = ROOT / "config" / "published"
PAPERS = ROOT.parent / "shared" / "papers"
AUDIO, IMAGE = ["Epic.K", "VGG.A", "KS2"], ["TINET", "C-10"]
# Tables 4 to 8 again, by row, in the order of the columns below.
BY_ROW = {
    "4": (
        ["ADVANCE", "MNIST+FSDD"],
        "transfer",
        """
        FVSSL R-18: 67.81 97.66
        FASSL R-18: 42.81 89.84
        FSSUAVL R-18: 72.19 98.44
        FVSSL ViT: 43.75 39.84
        FASSL ViT: 31.89 39.06
        FSSUAVL ViT: 42.19 53.13
        """,
    ),
    "5": (
        [
            f"{pairs} {input_}"
            for pairs in ("ADVANCE", "MNIST+FSDD")
            for input_ in ("A+V", "V", "A")
        ],
        "knn",
        """
        FVSSL R-18: - 53.74 - - 68.36 -
        FVSSL ViT: - 40.83 - - 26.17 -
        FASSL R-18: - - 27.51 - - 48.05
        FASSL ViT: - - 24.80 - - 28.52
        FVSSL+FASSL R-18: 51.15 - - 67.58 - -
        FVSSL+FASSL ViT: 42.39 - - 37.50 - -
        FSSUAVL R-18: 52.17 52.92 25.14 66.41 62.89 55.86
        FSSUAVL ViT: 35.52 34.65 25.0 37.89 20.70 41.80
        """,
    ),
    "6": (
        [*IMAGE, *AUDIO],
        "knn",
        """
        Model-Comb. R-18: 4.01 31.42 29.25 10.14 14.79
        FSSUAVL R-18: 10.37 42.76 31.46 10.92 25.23
        Model-Comb. ViT: 2.71 28.17 19.26 3.61 12.33
        FSSUAVL ViT: 3.61 30.37 21.73 4.07 12.27
        """,
    ),
    "7": (
        [*IMAGE, "Avg. image", *AUDIO, "Avg. audio"],
        "knn",
        """
        FSSUAVL R-18 Barlow Twins: 4.06 28.74 16.4 35.84 18.06 26.48 26.79
        FSSUAVL R-18 SimCLR: 3.77 34.7 19.24 34.7 16.7 27.51 26.30
        FSSUAVL ViT Barlow Twins: 2.47 23.18 12.83 26.55 9.04 15.20 16.93
        FSSUAVL ViT SimCLR: 2.45 22.82 12.64 27.15 9.46 15.61 17.40
        """,
    ),
    "8": (
        [*IMAGE, *AUDIO],
        "linear-probe",
        """
        ORCHESTRA R-18: - 71.58 - - -
        FedEMA R-18: - 64.19 - - -
        L-DAWA R-18: - 68.20 - - -
        FedU R-18: - 68.52 - - -
        FedAnchor R-18: - 62.94 - - -
        Rehman et al. R-18: 9.70 44.39 38.59 28.15 67.99
        Rehman et al. ViT: 1.52 24.20 23.69 7.19 17.51
        FSSUAVL R-18: 32.41 75.16 35.89 30.62 74.93
        FSSUAVL ViT: 6.77 39.18 24.25 8.72 22.35
        """,
    ),
}


@pytest.fixture(scope="module")
def shipped() -> pd.DataFrame:
    return read_published(sorted(PUBLISHED.glob("*.csv")))


def values(table: str) -> list[str]:
    """Return a shipped table's numbers as they are written, in file order."""
    frame = pd.read_csv(PUBLISHED / f"fssuavl_table{table}.csv", dtype=str)
    return frame["value"].to_list()


def paper(name: str) -> str:
    path = PAPERS / name
    if not path.is_file():
        pytest.skip(f"the text {name} of the paper is not at hand")
    return path.read_text(encoding="utf-8")


def printed(table: str) -> list[str]:
    """Return the numbers of a table's lines in the paper, in reading order."""
    lines = paper("fssuavl.txt").splitlines()
    end = next(i for i, line in enumerate(lines) if line.startswith(f"Table {table}:"))
    start = end
    while lines[start - 1].strip() and not lines[start - 1].startswith("Table "):
        start -= 1
    return [word for line in lines[start:end] for word in numbers(line, table)]


def numbers(line: str, table: str) -> Iterator[str]:
    words = re.sub(r"(\d\.) (\d)", r"\1\2", re.sub(r"\[\d+\]", " ", line)).split()
    found = [word for word in words if re.fullmatch(r"\d+(\.\d+)?", word)]
    yield from found[3:] if table == "6" else found  # before them, percent of clients


@pytest.mark.parametrize("table", list("2345678"))
def test_the_numbers_are_those_of_the_papers_text_in_its_order(table):
    assert values(table) == printed(table)


@pytest.mark.parametrize("table", list(BY_ROW))
def test_every_number_is_in_its_row_and_column(shipped, table):
    columns, protocol, text = BY_ROW[table]
    rows = [line.strip().split(": ") for line in text.strip().splitlines()]
    expected = {
        (row, column, protocol): float(word)
        for row, words in rows
        for column, word in zip(columns, words.split(), strict=True)
        if word != "-"
    }
    found = shipped[(shipped.study == "fssuavl") & (shipped.table == table)]
    keys = zip(found.row, found.column, found.protocol, strict=True)
    assert dict(zip(keys, found.value, strict=True)) == expected
    assert len(found) == len(expected)


def test_the_numbers_of_the_other_paper_are_those_of_its_review(shipped):
    found = shipped[shipped.study == "fassl"]
    assert found.table.eq("").all()
    assert found.note.str.startswith("known only from a review").all()
    assert dict(zip(found.column, found.value, strict=True)) == {"round 100": 22.61, "FASSL": 23.35}
    text = paper("fassl-review.txt")
    assert "22.61% after 100 rounds and 23.35% as identified by FASSL at round 30" in text


def test_exactly_one_average_of_all_tables_does_not_add_up(shipped):
    wrong = printed_averages(shipped)
    keys = ["table", "row", "column", "protocol", "printed"]
    assert wrong[keys].to_numpy().tolist() == [
        ["3", "FSSUAVL ViT", "Avg.", "linear-probe", 18.52],
    ]
    assert shipped.column.str.startswith("Avg.").sum() == 32  # 12 + 12 of tables 2, 3; 8 of table 7


def test_suspicious_cells_are_noted(shipped):
    noted = shipped[shipped.note.str.startswith("suspicious") & (shipped.table > "3")]
    cells = set(zip(noted.table, noted.row, noted.column, strict=True))
    rehman = {("8", f"Rehman et al. {a}", c) for a in ("R-18", "ViT") for c in (*IMAGE, *AUDIO)}
    mixed = {
        (*row, c)
        for row in (("6", "FSSUAVL R-18"), ("7", "FSSUAVL R-18 SimCLR"))
        for c in ("TINET", "C-10", "Epic.K", "VGG.A")
    }
    assert cells == rehman | mixed | {
        ("4", "FASSL ViT", "ADVANCE"),
        ("5", "FVSSL+FASSL R-18", "ADVANCE A+V"),
        ("5", "FSSUAVL R-18", "ADVANCE A+V"),
        ("5", "FSSUAVL ViT", "ADVANCE A+V"),
        ("5", "FSSUAVL R-18", "MNIST+FSDD A+V"),
        ("6", "FSSUAVL R-18", "KS2"),
        ("6", "FSSUAVL ViT", "KS2"),
        ("7", "FSSUAVL ViT SimCLR", "Avg. audio"),
        ("8", "FSSUAVL R-18", "Epic.K"),
        ("8", "FSSUAVL ViT", "Epic.K"),
    }


def test_what_the_notes_say_of_other_tables_is_so(shipped):
    cell = shipped.set_index(["table", "row", "column", "protocol"]).value
    for arch in ("R-18", "ViT"):
        for task in AUDIO:
            cited = cell["8", f"Rehman et al. {arch}", task, "linear-probe"]
            assert cited == cell["3", f"FASSL {arch}", task, "linear-probe"]
    for table, row, other, other_row in (
        ("6", "FSSUAVL R-18", "7", "FSSUAVL R-18 SimCLR"),
        ("7", "FSSUAVL R-18 SimCLR", "6", "FSSUAVL R-18"),
    ):
        notes = shipped[(shipped.table == table) & (shipped.row == row)].set_index("column").note
        for task in ("TINET", "C-10", "Epic.K", "VGG.A"):
            assert f"table {other} prints {cell[other, other_row, task, 'knn']:g} " in notes[task]


def test_a_number_of_the_prose_has_no_table(tmp_path):
    path = tmp_path / "prose.csv"
    lines = [",".join(COLUMNS), "fassl,,A,best,retrieval,23.35,,", "fassl,x,A,last,retrieval,2,,"]
    path.write_text("\n".join(lines[:2]) + "\n", encoding="utf-8")
    assert read_published([path]).table.to_list() == [""]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    with pytest.raises(UserError, match=r"table is 'x'; it must be a bare number, or empty for"):
        read_published([path])
