"""Reading claims, and claims on published numbers, with made-up claims."""

from pathlib import Path
from typing import get_args

import pytest

from fedssl.errors import UserError
from fedssl.paper.claims.claims import read_claims, write_claims
from fedssl.paper.claims.settings import Protocol
from fedssl.paper.published import PROTOCOL_LABELS
from tests.unit.made_up_claims import (
    CLAIM,
    PREDICATE,
    SEEDS_FILE,
    SPREAD,
    measured,
    result,
    write_yaml,
)

ROOT = Path(__file__).parents[2]
SHIPPED = ROOT / "config" / "claims.yaml"
PUBLISHED = sorted((ROOT / "config" / "published").glob("*.csv"))


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


TWO = PREDICATE["left"] | {"row": ["ours", "theirs"]}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (
            {"compare": "each", "right": TWO},
            "1 cells cannot each be compared with one of 2; name as many cells on the right",
        ),
        ({"compare": "max", "relation": "="}, "has no test; use >, >=, < or <="),
        (
            {"compare": "each", "except": [{"row": "nobody"}]},
            "must each leave out a cell of the left side",
        ),
    ],
)
@pytest.mark.parametrize("name", ["predicate", "measured"])
def test_a_predicate_without_a_test_is_named_with_its_file_and_claim(tmp_path, change, words, name):
    with pytest.raises(UserError) as error:
        read_claims(write_yaml(tmp_path, CLAIM | {name: PREDICATE | change}))
    assert str(error.value).startswith(f"{tmp_path / 'claims.yaml'}: claim better: ")
    assert words in str(error.value)


def test_a_mistyped_cell_is_named(tmp_path):
    left = PREDICATE["left"] | {"row": "hours"}
    wrong = {"predicate": PREDICATE | {"left": left}}
    with pytest.raises(UserError, match="Claim better names 1 / hours / A kNN, which the publish"):
        result(tmp_path, [], **wrong)
    assert result(tmp_path, [], **wrong, untabulated=True)["published"] == "undecided"
    with pytest.raises(UserError, match="better is marked untabulated, but all its numbers exist"):
        result(tmp_path, [], untabulated=True)


def test_a_table_without_its_seeds_is_refused(tmp_path):
    ours, theirs = measured("ours", 11, *SPREAD), measured("theirs", 8, *SPREAD)
    with pytest.raises(UserError, match="a number for theirs, A kNN, but its seeds file"):
        result(tmp_path, [ours, theirs | {"seeds": []}])
    (tmp_path / SEEDS_FILE).unlink()
    with pytest.raises(UserError, match=r"table\.seeds\.json is missing"):
        write_claims(SHIPPED, PUBLISHED, tables=[tmp_path / "table.csv"], path=tmp_path / "c.csv")


def test_a_file_that_is_no_table_is_refused(tmp_path):
    (tmp_path / "other.csv").write_text("study,row\nfssuavl,ours\n")
    with pytest.raises(UserError, match=r"other\.csv lacks the columns table, column, published"):
        write_claims(
            SHIPPED, PUBLISHED, tables=[tmp_path / "other.csv"], path=tmp_path / "claims.csv"
        )
    assert not (tmp_path / "claims.csv").exists()
