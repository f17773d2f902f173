"""Each form of a predicate on printed numbers, by hand."""

from typing import Any

import pytest

from fedssl.paper.claims.predicates import Outcome, evaluate

NUMBERS = {
    ("1", "ours", "A kNN"): 10.0,
    ("1", "ours", "B kNN"): 20.0,
    ("1", "theirs", "A kNN"): 8.0,
    ("1", "theirs", "B kNN"): 21.0,
    ("2", "ours", "A L.P"): 30.0,
}


def group(row: Any = "ours", column: Any = "A", table: str = "1", **more: str) -> dict[str, Any]:
    return {"table": table, "row": row, "column": column, "protocol": "knn", **more}


def comparison(relation: str = ">", **changes: Any) -> dict[str, Any]:
    sides = {"left": group("ours"), "right": group("theirs")}
    return {"compare": "mean", "relation": relation, **sides, **changes}


def check(predicate: dict[str, Any], numbers=NUMBERS) -> Outcome:
    return evaluate(predicate, numbers, precision=0.01)


BOTH = {"left": group("ours", ["A", "B"]), "right": group("theirs", ["A", "B"])}


@pytest.mark.parametrize(
    ("relation", "by", "verdict", "margin"),
    [
        (">", 0, "holds", 2),
        (">", 2, "fails", 0),
        (">=", 2, "holds", 0),
        (">=", 2.5, "fails", -0.5),
        ("<", 0, "fails", -2),
        ("<", 2, "fails", 0),
        ("<=", 2, "holds", 0),
        ("<", 3, "holds", 1),
        ("=", 2, "holds", 0.01),
        ("=", 2.01, "holds", 0),
        ("=", 1.98, "fails", -0.01),
        (">=", -2, "holds", 4),
    ],
)
def test_relations_between_one_cell_and_another(relation, by, verdict, margin):
    outcome = check(comparison(relation, by=by))
    assert outcome.verdict == verdict
    assert outcome.margin == pytest.approx(margin, abs=1e-9)


@pytest.mark.parametrize(("within", "verdict"), [(2, "holds"), (1.9, "fails")])
def test_similar_is_within_points_either_way(within, verdict):
    swapped = comparison("~", within=within, left=group("theirs"), right=group("ours"))
    assert check(comparison("~", within=within)).verdict == verdict
    assert check(swapped).verdict == verdict


def test_floating_point_does_not_decide():
    numbers = {("1", "ours", "A kNN"): 0.3, ("1", "theirs", "A kNN"): 0.1}
    assert check(comparison(">", by=0.2), numbers).verdict == "fails"
    assert check(comparison(">=", by=0.2), numbers).verdict == "holds"


@pytest.mark.parametrize(
    ("how", "verdict", "margin"),
    [("each", "fails", -1), ("mean", "holds", 0.5), ("max", "fails", -1), ("min", "holds", 2)],
)
def test_how_two_sides_meet(how, verdict, margin):
    outcome = check(comparison(compare=how, **BOTH))
    assert (outcome.verdict, outcome.margin) == (verdict, margin)


def test_exceptions_are_left_out():
    predicate = comparison(compare="each", **BOTH)
    for exception in ({"column": "B kNN"}, {"row": "ours", "column": "B kNN"}):
        assert check(predicate | {"except": [exception]}).verdict == "holds"
    assert check(predicate | {"except": [{"column": "A kNN"}]}).margin == -1


def test_each_meets_its_counterpart_or_the_only_one():
    only = comparison(compare="each", left=BOTH["left"], right=group("theirs", "A"))
    assert check(only).margin == 2


def test_groups_of_several_tables_make_one_side():
    probe = {"table": "2", "row": "ours", "column": "A", "protocol": "linear-probe"}
    outcome = check(comparison(left=[group("ours", ["A", "B"]), probe]))
    assert outcome.margin == pytest.approx((10 + 20 + 30) / 3 - 8)


def test_a_gain_over_another_row_is_compared():
    gains = comparison(
        left=group(column="A", over="theirs"), right=group(column="B", over="theirs")
    )
    outcome = check(gains)
    assert outcome.margin == (10 - 8) - (20 - 21)
    assert "ours, A kNN minus table 1: theirs, A kNN" in outcome.evidence
    largest = comparison(compare="max", left=group(column=["A", "B"], over="theirs"), by=1)
    del largest["right"]
    assert check(largest).margin == 1


def test_without_a_right_side_a_cell_meets_a_number():
    alone = {"compare": "each", "left": BOTH["left"], "relation": ">=", "by": 10}
    assert check(alone).verdict == "holds"
    assert check(alone | {"by": 11}).evidence == "10.00 (table 1: ours, A kNN) is not at least 11"


def test_a_column_without_protocol_is_named_as_it_is():
    predicate = {"compare": "mean", "left": {"table": "f", "row": "x", "column": "best round"}}
    numbers = {("f", "x", "best round"): 1.0}
    assert check(predicate | {"relation": "<=", "by": 1}, numbers).verdict == "holds"


HOLDS, FAILS = comparison(">"), comparison("<")
UNKNOWN = comparison(left=group("nobody"))


@pytest.mark.parametrize(
    ("parts", "all_of", "any_of"),
    [
        ([HOLDS, HOLDS], "holds", "holds"),
        ([HOLDS, FAILS], "fails", "holds"),
        ([FAILS, UNKNOWN], "fails", "undecided"),
        ([HOLDS, UNKNOWN], "undecided", "holds"),
        ([{"all": [HOLDS, FAILS]}, {"any": [HOLDS, FAILS]}], "fails", "holds"),
    ],
)
def test_all_and_any_with_what_is_not_known(parts, all_of, any_of):
    for order in (parts, parts[::-1]):
        assert check({"all": order}).verdict == all_of
        assert check({"any": order}).verdict == any_of


@pytest.mark.parametrize("how", ["each", "mean", "max", "min"])
def test_a_missing_cell_is_named(how):
    outcome = check(comparison(compare=how, left=group(["ours", "nobody"])))
    assert (outcome.verdict, outcome.margin) == ("undecided", None)
    assert "table 1: nobody, A kNN" in outcome.evidence
