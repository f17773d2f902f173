from pathlib import Path

import pandas as pd
import pytest

from fedssl.errors import UserError
from fedssl.paper.published import COLUMNS, printed_averages, read_published

SHIPPED = sorted((Path(__file__).parents[2] / "config" / "published").glob("fssuavl_table[23].csv"))
HEADER = ",".join(COLUMNS)
# Tables 2 and 3 as the paper's text prints them: kNN, linear probe, fine-tune.
PAPER = {
    "2": """
FVSSL R-18 12.27 45.65 28.96 31.61 75.04 53.33 56.85 75.96 66.41
FSSUAVL R-18 12.50 46.47 29.49 32.41 75.16 53.79 59.49 86.7 73.10
FVSSL ViT 4.17 31.4 17.79 6.57 40.18 23.38 32.25 69.35 50.8
FSSUAVL ViT 3.86 30.19 17.03 6.77 39.18 22.98 32.89 69.80 51.35
""",
    "3": """
FASSL R-18 29.46 10.43 14.36 18.08 38.59 28.15 67.99 44.91 46.37 49.19 95.93 63.83
FSSUAVL R-18 30.34 9.98 20.69 20.34 35.89 30.62 74.93 47.15 44.56 48.67 96.00 63.08
FASSL ViT 20.09 3.4 11 11.50 23.69 7.19 17.51 16.13 41.83 39.63 86.66 56.04
FSSUAVL ViT 21.58 4.26 14.06 13.30 24.45 8.72 22.35 18.52 41.31 36.04 85.17 54.17
""",
}
TASKS = {"2": ["TINET", "C-10", "Avg."], "3": ["Epic.K", "VGG.A", "KS2", "Avg."]}


@pytest.fixture(scope="module")
def shipped() -> pd.DataFrame:
    return read_published(SHIPPED)


def write(path: Path, *lines: str, header: str = HEADER) -> Path:
    path.write_text("\n".join([header, *lines, ""]), encoding="utf-8")
    return path


@pytest.mark.parametrize("table", ["2", "3"])
def test_every_printed_number_is_transcribed(shipped, table):
    columns = [(c, p) for p in ("knn", "linear-probe", "fine-tune") for c in TASKS[table]]
    expected = {
        (" ".join(words[:2]), *column): float(word)
        for words in (line.split() for line in PAPER[table].strip().splitlines())
        for column, word in zip(columns, words[2:], strict=True)
    }
    found = shipped[(shipped.study == "fssuavl") & (shipped.table == table)]
    keys = zip(found.row, found.column, found.protocol, strict=True)
    assert dict(zip(keys, found.value, strict=True)) == expected
    assert len(found) == len(expected)


@pytest.mark.parametrize(
    ("table", "expert", "arch", "protocol", "gain"),
    [
        ("2", "FVSSL", "R-18", "knn", 0.53),
        ("2", "FVSSL", "R-18", "linear-probe", 0.46),
        ("2", "FVSSL", "R-18", "fine-tune", 6.69),
        ("3", "FASSL", "R-18", "knn", 2.26),
        ("3", "FASSL", "ViT", "knn", 1.8),
        ("3", "FASSL", "R-18", "linear-probe", 2.24),
        ("3", "FASSL", "ViT", "linear-probe", 2.39),
        ("3", "FASSL", "ViT", "fine-tune", -1.87),
    ],
)
def test_averages_give_the_gains_of_the_papers_prose(shipped, table, expert, arch, protocol, gain):
    averages = shipped[(shipped.table == table) & (shipped.column == "Avg.")]
    averages = averages[averages.protocol == protocol].set_index("row").value
    assert averages[f"FSSUAVL {arch}"] - averages[f"{expert} {arch}"] == pytest.approx(gain)


def test_the_one_average_that_does_not_add_up_is_listed_and_noted(shipped):
    wrong = printed_averages(shipped)
    assert wrong.to_dict("records") == [
        {
            "study": "fssuavl",
            "table": "3",
            "row": "FSSUAVL ViT",
            "column": "Avg.",
            "protocol": "linear-probe",
            "printed": 18.52,
            "recomputed": pytest.approx(18.5067, abs=1e-4),
        }
    ]


def test_suspicious_cells_are_noted(shipped):
    noted = shipped[shipped.note.str.startswith("suspicious")]
    assert set(zip(noted.table, noted.row, noted.column, noted.protocol, strict=True)) == {
        ("2", "FVSSL R-18", "C-10", "fine-tune"),
        ("2", "FVSSL R-18", "Avg.", "fine-tune"),
        ("3", "FSSUAVL ViT", "Epic.K", "linear-probe"),
        ("3", "FSSUAVL ViT", "Avg.", "linear-probe"),
    }
    assert (shipped.note.eq("") | shipped.index.isin(noted.index)).all()


def test_each_average_covers_the_cells_since_the_one_before(tmp_path):
    # Table 7 of the paper: two averages in a row, and 17.40 for cells that give 17.4067.
    row = "fssuavl,7,FSSUAVL ViT SimCLR"
    values = {"TINET": 2.45, "C-10": 22.82, "Avg. image": 12.64, "Epic.K": 27.15, "VGG.A": 9.46}
    values |= {"KS2": 15.61, "Avg. audio": 17.40}
    lines = [f"{row},{column},knn,{value},," for column, value in values.items()]
    assert printed_averages(read_published([write(tmp_path / "7.csv", *lines)])).empty
    lines[2] = f"{row},Avg. image,knn,12.66,,"
    wrong = printed_averages(read_published([write(tmp_path / "7.csv", *lines)]))
    assert wrong[["column", "printed"]].to_numpy().tolist() == [["Avg. image", 12.66]]
    assert wrong.recomputed.item() == pytest.approx(12.635)


def test_no_file_is_an_empty_frame_with_the_same_columns():
    assert list(read_published([]).columns) == list(COLUMNS)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("fssuavl,2,A,TINET,knn,12.x,,", "line 3: value is '12.x'"),
        ("fssuavl,2,A,TINET,knn,,,", "line 3: value is ''"),
        ("fssuavl,2,A,TINET,knn,nan,,", "line 3: value is 'nan'"),
        ("fssuavl,2,A,TINET,knn,101,,", "line 3: value is '101'"),
        ("fssuavl,Table 2,A,TINET,knn,12,,", "line 3: table is 'Table 2'"),
        ("fssuavl,2,A,TINET,kNN,12,,", "line 3: protocol is 'kNN'; it must be one of knn, "),
        ("fssuavl,2,,TINET,knn,12,,", "line 3: row is ''"),
        ("fssuavl,2,A,TINET,knn,12", "line 3: 6 cells in 'fssuavl,2,A,TINET,knn,12'"),
        ("fssuavl,2,A,C-10,knn,45.66,,", "line 3: fssuavl / 2 / A / C-10 / knn was already given"),
    ],
)
def test_a_bad_line_is_named_with_its_value(tmp_path, line, said):
    path = write(tmp_path / "bad.csv", "fssuavl,2,A,C-10,knn,45.65,,", line)
    with pytest.raises(UserError) as error:
        read_published([path])
    assert str(error.value).startswith(f"{path}, {said}")


def test_a_number_given_in_two_files_is_named(tmp_path):
    line = "fssuavl,2,A,C-10,knn,45.65,,"
    first, second = write(tmp_path / "a.csv", line), write(tmp_path / "b.csv", line)
    with pytest.raises(UserError, match=r"b\.csv, line 2: .* already given in .*a\.csv, line 2"):
        read_published([first, second])


@pytest.mark.parametrize("header", ["", HEADER + ",comment", HEADER.replace("page", "pages")])
def test_other_columns_are_refused(tmp_path, header):
    with pytest.raises(UserError, match=r"line 1: columns are .*; they must be study, table"):
        read_published([write(tmp_path / "bad.csv", header=header)])


@pytest.mark.parametrize("damage", [b"\xff", b'"unended,'])
def test_a_file_that_is_no_csv_is_named(tmp_path, damage):
    path = write(tmp_path / "bad.csv")
    path.write_bytes(path.read_bytes() + damage)
    with pytest.raises(UserError, match=r"bad\.csv cannot be read .* must be text in UTF-8"):
        read_published([path])


def test_a_byte_order_mark_is_no_part_of_the_first_column(tmp_path):
    path = write(tmp_path / "marked.csv", "fssuavl,7,FSSUAVL ViT SimCLR,TINET,knn,2.45,,")
    rows = read_published([path])
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    pd.testing.assert_frame_equal(read_published([path]), rows)
