"""Claims on published numbers and measured tables, with made-up claims."""

import math
from pathlib import Path
from typing import Any, get_args

import pandas as pd
import pytest
import yaml

from fedssl.errors import UserError
from fedssl.paper.claims.claims import COLUMNS, read_claims, write_claims
from fedssl.paper.claims.settings import Protocol
from fedssl.paper.products.table import COLUMNS as TABLE_COLUMNS
from fedssl.paper.published import PROTOCOL_LABELS
from fedssl.paper.seeds import Seeds, write_seeds

ROOT = Path(__file__).parents[2]
SHIPPED = ROOT / "config" / "claims.yaml"
PUBLISHED = sorted((ROOT / "config" / "published").glob("*.csv"))
SEEDS_FILE = "table.seeds.json"
PREDICATE = {
    "compare": "mean",
    "left": {"table": "1", "row": "ours", "column": "A", "protocol": "knn"},
    "relation": ">",
    "right": {"table": "1", "row": "theirs", "column": "A", "protocol": "knn"},
}
CLAIM = {
    "id": "better",
    "paper": "fssuavl",
    "section": "1",
    "quote": "ours is better",
    "reading": "above",
    "predicate": PREDICATE,
}
NUMBERS = """study,table,row,column,protocol,value,page,note
fssuavl,1,ours,A,knn,12,,
fssuavl,1,theirs,A,knn,10,,
"""


def write_yaml(folder: Path, *claims: dict[str, Any]) -> Path:
    path = folder / "claims.yaml"
    path.write_text(yaml.safe_dump({"claims": list(claims)}))
    return path


def row(name: str, **changes: Any) -> dict[str, Any]:
    """Return a row of a table CSV; what is not given is empty."""
    base = dict.fromkeys(TABLE_COLUMNS, "")
    keys = {"study": "fssuavl", "table": "1", "row": name, "column": "A kNN", "verdict": "not-run"}
    return base | keys | changes


def result(folder: Path, rows: list[dict[str, Any]], **changes: Any) -> dict[str, Any]:
    """Return the row of one claim on a measured table."""
    (folder / "numbers.csv").write_text(NUMBERS)
    write_seeds((seeds for row in rows for seeds in row.pop("seeds", [])), folder / SEEDS_FILE)
    pd.DataFrame(rows, columns=list(TABLE_COLUMNS)).to_csv(folder / "table.csv", index=False)
    write_claims(
        write_yaml(folder, CLAIM | changes),
        [folder / "numbers.csv"],
        tables=[folder / "table.csv", folder / "missing.csv"],
        path=folder / "claims.csv",
    )
    frame = pd.read_csv(folder / "claims.csv", keep_default_na=False)
    assert tuple(frame.columns) == COLUMNS
    return frame.to_dict("records")[0]


def test_a_claim_may_name_all_protocols():
    assert set(get_args(Protocol)) == set(PROTOCOL_LABELS)


@pytest.mark.parametrize(
    "change",
    [
        {"colour": 1},
        {"id": "Better"},
        {"paper": "other"},
        {"quote": ""},
        {"predicate": {}},
        {"predicate": {"all": []}},
        {"predicate": PREDICATE | {"relation": "!="}},
        {"predicate": PREDICATE | {"relation": "~"}},
        {"predicate": PREDICATE | {"within": 1}},
        {"predicate": PREDICATE | {"except": [{"row": "ours"}]}},
        {"predicate": PREDICATE | {"all": [PREDICATE]}},
        {"predicate": {name: PREDICATE[name] for name in ("compare", "left", "relation")}},
        {"predicate": PREDICATE | {"left": PREDICATE["left"] | {"protocol": "kNN"}}},
    ],
    ids=str,
)
def test_the_schema_refuses_what_it_does_not_know(tmp_path, change):
    with pytest.raises(UserError, match=r"claims\.yaml: claims\[0\]"):
        read_claims(write_yaml(tmp_path, CLAIM | change))


def test_the_schema_takes_the_form_that_the_changes_above_break(tmp_path):
    assert read_claims(write_yaml(tmp_path, CLAIM)) == [CLAIM]


def test_an_id_given_twice_is_named(tmp_path):
    with pytest.raises(UserError, match="two claims have the id better"):
        read_claims(write_yaml(tmp_path, CLAIM, CLAIM))


def test_sides_that_do_not_match_are_named_with_the_claim(tmp_path):
    two = PREDICATE["left"] | {"row": ["ours", "theirs"]}
    predicate = PREDICATE | {"compare": "each", "right": two}
    with pytest.raises(UserError, match="claim better: 1 cells cannot each be compared"):
        read_claims(write_yaml(tmp_path, CLAIM | {"predicate": predicate}))


def test_a_mistyped_cell_is_named(tmp_path):
    left = PREDICATE["left"] | {"row": "hours"}
    wrong = {"predicate": PREDICATE | {"left": left}}
    with pytest.raises(UserError, match="Claim better names 1 / hours / A kNN, which the publish"):
        result(tmp_path, [], **wrong)
    assert result(tmp_path, [], **wrong, untabulated=True)["published"] == "not decidable"
    with pytest.raises(UserError, match="better is marked untabulated, but all its numbers exist"):
        result(tmp_path, [], untabulated=True)


SPREAD = (-0.5, 0.0, 0.5)  # points, of three seeds
HALF = 4.30265 * 0.5 / math.sqrt(3)


def measured(name: str, value: float, *spread: float, verdict: str = "differs", **key: Any) -> Any:
    """Return a measured row of a table CSV, and what its seeds measured."""
    given = row(name, measured=value, verdict=verdict, n_seeds=len(spread), **key)
    values = {str(seed): value + own for seed, own in enumerate(spread)}
    return given | {"seeds": [Seeds(name, given["column"], 0.5, values)]}


def test_a_measured_claim_has_an_interval_over_seeds(tmp_path):
    rows = [measured("ours", 11, *SPREAD), measured("theirs", 8, 0, 0, 0)]
    found = result(tmp_path, rows)
    assert (found["published"], found["published_margin"]) == ("holds", 2)
    assert (found["measured"], found["measured_margin"], found["scaled"]) == ("holds", 3, False)
    assert (found["low"], found["high"]) == pytest.approx((3 - HALF, 3 + HALF), abs=1e-4)


def test_seeds_are_paired(tmp_path):
    rows = [measured("ours", 8.1, *SPREAD), measured("theirs", 8, *SPREAD)]
    assert result(tmp_path, rows)["measured"] == "holds"
    rows = [measured("ours", 8.1, *SPREAD), measured("theirs", 8, *SPREAD[::-1])]
    assert result(tmp_path, rows)["measured"] == "not decidable"


@pytest.mark.parametrize(
    ("theirs", "verdict"), [(10.0, "holds"), (10.8, "not decidable"), (12.9, "fails")]
)
def test_seeds_may_leave_a_measured_claim_open(tmp_path, theirs, verdict):
    rows = [measured("ours", 11.3, *SPREAD), measured("theirs", theirs, 0, 0, 0)]
    assert result(tmp_path, rows)["measured"] == verdict


@pytest.mark.parametrize(("ours", "verdict"), [(6, "fails"), (7, "not decidable"), (10, "holds")])
def test_one_seed_is_held_against_the_noise_of_its_samples(tmp_path, ours, verdict):
    found = result(tmp_path, [measured("ours", ours, 0), measured("theirs", 8, 0)])
    assert (found["measured"], found["measured_margin"]) == (verdict, ours - 8)
    half = 1.96 * math.hypot(0.5, 0.5)
    assert (found["low"], found["high"]) == pytest.approx((ours - 8 - half, ours - 8 + half), 1e-3)


def test_scaled_numbers_are_flagged(tmp_path):
    rows = [measured("ours", 11, 0, verdict="scaled"), measured("theirs", 8, *SPREAD)]
    found = result(tmp_path, rows)
    assert (found["measured"], found["scaled"]) == ("holds", True)


def test_what_is_measured_may_have_a_predicate_of_its_own(tmp_path):
    held_out = {name: {**PREDICATE[name], "column": "B"} for name in ("left", "right")}
    own = {"measured": PREDICATE | held_out}
    rows = [
        measured(name, value, 0, column=f"{column} kNN")
        for name, column, value in (
            ("ours", "A", 12),
            ("theirs", "A", 8),
            ("ours", "B", 1),
            ("theirs", "B", 8),
        )
    ]
    found = result(tmp_path, rows, **own)
    assert (found["published"], found["measured"]) == ("holds", "fails")
    broken = {"measured": own["measured"] | {"compare": "each", "except": [{"row": "nobody"}]}}
    with pytest.raises(UserError, match="claim better: exceptions"):
        result(tmp_path, [], **broken)


def test_a_table_without_its_seeds_is_refused(tmp_path):
    ours, theirs = measured("ours", 11, *SPREAD), measured("theirs", 8, *SPREAD)
    with pytest.raises(UserError, match="a number for theirs, A kNN, but its seeds file"):
        result(tmp_path, [ours, theirs | {"seeds": []}])
    (tmp_path / SEEDS_FILE).unlink()
    with pytest.raises(UserError, match=r"table\.seeds\.json is missing"):
        write_claims(SHIPPED, PUBLISHED, tables=[tmp_path / "table.csv"], path=tmp_path / "c.csv")


def test_one_cell_not_run_leaves_the_claim_not_run(tmp_path):
    found = result(tmp_path, [measured("ours", 9, *SPREAD), row("theirs", published=10)])
    assert (found["measured"], found["measured_margin"], found["scaled"]) == ("not-run", "", "")
    assert found["measured_evidence"] == "1 of 2 numbers not run"


def test_another_studys_or_tables_number_does_not_count(tmp_path):
    for other in ({"study": "fassl"}, {"table": "2"}, {"column": "A L.P"}):
        rows = [measured("ours", 9, *SPREAD), measured("theirs", 8, *SPREAD, **other)]
        assert result(tmp_path, rows)["measured"] == "not-run"


def test_what_only_the_paper_has_counts_as_published(tmp_path):
    only = row("theirs", published=10, n_seeds=0, verdict="published-only")
    found = result(tmp_path, [measured("ours", 8, *SPREAD), only])
    assert (found["measured"], found["measured_margin"]) == ("fails", -2)
    assert found["high"] == pytest.approx(-2 + HALF, abs=1e-4)


def test_a_gain_as_printed_is_one_within_a_point_when_measured(tmp_path):
    gain = {"predicate": PREDICATE | {"relation": "=", "by": 2.02}}
    rows = [measured("ours", 9, *SPREAD), measured("theirs", 8, *SPREAD)]
    found = result(tmp_path, rows, **gain)
    assert (found["published"], found["published_margin"]) == ("fails", -0.01)
    assert (found["measured"], found["measured_margin"]) == ("fails", -0.02)
    rows = [measured("ours", 9.02, *SPREAD), measured("theirs", 8, *SPREAD)]
    assert result(tmp_path, rows, **gain)["measured"] == "holds"


def test_a_file_that_is_no_table_is_refused(tmp_path):
    (tmp_path / "other.csv").write_text("study,row\nfssuavl,ours\n")
    with pytest.raises(UserError, match=r"other\.csv lacks the columns table, column, published"):
        write_claims(
            SHIPPED, PUBLISHED, tables=[tmp_path / "other.csv"], path=tmp_path / "claims.csv"
        )
    assert not (tmp_path / "claims.csv").exists()
