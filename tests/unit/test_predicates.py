"""Each form of a predicate, by hand."""

import math
from typing import Any

import numpy as np
import pytest

from fedssl.paper.claims.gaps import Number
from fedssl.paper.claims.predicates import Outcome, cells, evaluate

VALUES = {
    ("1", "ours", "A kNN"): 10.0,
    ("1", "ours", "B kNN"): 20.0,
    ("1", "theirs", "A kNN"): 8.0,
    ("1", "theirs", "B kNN"): 21.0,
    ("2", "ours", "A L.P"): 30.0,
}
NUMBERS = {key: Number(value) for key, value in VALUES.items()}


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
    assert (outcome.verdict, outcome.low) == (verdict, outcome.margin)
    assert outcome.margin == pytest.approx(margin, abs=1e-9)


@pytest.mark.parametrize(("within", "verdict"), [(2, "holds"), (1.9, "fails")])
def test_similar_is_within_points_either_way(within, verdict):
    swapped = comparison("~", within=within, left=group("theirs"), right=group("ours"))
    assert check(comparison("~", within=within)).verdict == verdict
    assert check(swapped).verdict == verdict


def test_floating_point_does_not_decide():
    numbers = {("1", "ours", "A kNN"): Number(0.3), ("1", "theirs", "A kNN"): Number(0.1)}
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
    assert ("1", "theirs", "B kNN") not in cells(predicate | {"except": [{"column": "B kNN"}]})
    for unfit in ([{"column": "C kNN"}], [{"row": "ours"}], [{"row": "theirs"}]):
        with pytest.raises(ValueError, match="must each leave out a cell, and not all"):
            cells(predicate | {"except": unfit})


def test_each_meets_its_counterpart_or_the_only_one():
    only = comparison(compare="each", left=BOTH["left"], right=group("theirs", "A"))
    assert check(only).margin == 2
    unequal = comparison(compare="each", left=group("ours"), right=BOTH["right"])
    with pytest.raises(ValueError, match="1 cells cannot each be compared with one of 2"):
        cells(unequal)


def test_groups_of_several_tables_make_one_side():
    probe = {"table": "2", "row": "ours", "column": "A", "protocol": "linear-probe"}
    outcome = check(comparison(left=[group("ours", ["A", "B"]), probe]))
    assert outcome.margin == pytest.approx((10 + 20 + 30) / 3 - 8)


def test_rows_times_columns_run_row_by_row():
    rows = group(["ours", "theirs"], ["A", "B"])
    assert cells(comparison(left=rows)) == [
        ("1", "ours", "A kNN"),
        ("1", "ours", "B kNN"),
        ("1", "theirs", "A kNN"),
        ("1", "theirs", "B kNN"),
    ]


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
    assert check(alone | {"by": 11}).evidence == "not 10.00 (table 1: ours, A kNN) >= +11"


def test_a_column_without_protocol_is_named_as_it_is():
    predicate = {"compare": "mean", "left": {"table": "f", "row": "x", "column": "best round"}}
    numbers = {("f", "x", "best round"): Number(1.0)}
    assert check(predicate | {"relation": "<=", "by": 1}, numbers).verdict == "holds"


HOLDS, FAILS = comparison(">"), comparison("<")
UNKNOWN = comparison(left=group("nobody"))


@pytest.mark.parametrize(
    ("parts", "all_of", "any_of"),
    [
        ([HOLDS, HOLDS], "holds", "holds"),
        ([HOLDS, FAILS], "fails", "holds"),
        ([FAILS, UNKNOWN], "fails", "not decidable"),
        ([HOLDS, UNKNOWN], "not decidable", "holds"),
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
    assert (outcome.verdict, outcome.margin, outcome.low) == ("not decidable", None, None)
    assert "table 1: nobody, A kNN" in outcome.evidence


OURS, THEIRS = ("1", "ours", "A kNN"), ("1", "theirs", "A kNN")
SPREAD = (-1.0, 1.0, 0.0)  # points, of three seeds: t s / sqrt(3) = 2.484
HALF = 4.30265 / math.sqrt(3)


def seeds(value: float, *spread: float) -> Number:
    values = {str(seed): value + own for seed, own in enumerate(spread)}
    return Number(value, 1.5, values)


@pytest.mark.parametrize(
    ("ours", "verdict"), [(12.0, "holds"), (9.0, "not decidable"), (5.0, "fails")]
)
def test_an_interval_across_the_boundary_decides_nothing(ours, verdict):
    numbers = {OURS: seeds(ours, *SPREAD), THEIRS: seeds(8.0, 0.0, 0.0, 0.0)}
    outcome = check(comparison(), numbers)
    assert outcome.verdict == verdict
    assert (outcome.low, outcome.high) == pytest.approx(
        (ours - 8 - HALF, ours - 8 + HALF), abs=1e-4
    )
    below = check(comparison("<"), numbers)
    assert (below.low, below.high) == pytest.approx((-outcome.high, -outcome.low))


@pytest.mark.parametrize(
    ("ours", "within", "verdict"),
    [(8.5, 3, "holds"), (8.5, 1, "not decidable"), (13, 2, "fails"), (9.9, 2, "not decidable")],
)
def test_similar_needs_the_whole_interval_within(ours, within, verdict):
    numbers = {OURS: seeds(ours, *SPREAD), THEIRS: seeds(8.0, 0.0, 0.0, 0.0)}
    assert check(comparison("~", within=within), numbers).verdict == verdict


def test_cells_are_paired_by_seed():
    # Ours is 1 point above with each seed, however much these differ.
    apart = (-5.0, 5.0, 0.0)
    sure = check(comparison(), {OURS: seeds(9, *apart), THEIRS: seeds(8, *apart)})
    assert (sure.verdict, sure.low, sure.high) == ("holds", 1, 1)
    crossed = check(comparison(), {OURS: seeds(9, *apart), THEIRS: seeds(8, *apart[::-1])})
    assert crossed.verdict == "not decidable"
    # Only what both have is paired: seeds 0 and 1 here.
    two = check(comparison(), {OURS: seeds(9, *apart[:2]), THEIRS: seeds(8, *apart)})
    assert (two.low, two.high) == (1, 1)


@pytest.mark.parametrize(("ours", "verdict"), [(13, "holds"), (10, "not decidable"), (3, "fails")])
def test_one_seed_is_held_against_the_noise_of_its_samples(ours, verdict):
    outcome = check(comparison(), {OURS: seeds(ours, 0.0), THEIRS: seeds(8.0, 0.0)})
    assert outcome.verdict == verdict
    assert outcome.high - outcome.margin == pytest.approx(1.96 * math.hypot(1.5, 1.5), abs=1e-3)


def test_one_seed_of_what_is_no_accuracy_decides_nothing():
    numbers = {OURS: Number(0.5, None, {"0": 0.5}), THEIRS: Number(0.1, None, {"0": 0.1})}
    outcome = check(comparison(), numbers)
    assert (outcome.verdict, outcome.low, outcome.high) == ("not decidable", None, None)
    assert outcome.margin == 0.4 and outcome.evidence.endswith(": one seed has no interval")


def test_a_printed_number_has_no_noise_beside_a_measured_one():
    outcome = check(comparison(), {OURS: seeds(12.0, 0.0), THEIRS: Number(8.0)})
    assert outcome.low == pytest.approx(4 - 1.96 * 1.5, abs=1e-3)


def test_a_mean_is_surer_than_its_cells_and_a_cell_cancels_itself():
    numbers = {key: Number(value, 1.0, {"0": value}) for key, value in VALUES.items()}
    outcome = check(comparison(**BOTH), numbers)
    assert outcome.high == pytest.approx(0.5 + 1.96 * math.sqrt(4 * 0.25), abs=1e-3)
    same = check(comparison("~", within=1, right=group("ours")), numbers)
    assert (same.verdict, same.low, same.high) == ("holds", 1, 1)


def test_the_luck_of_a_picked_cell_counts():
    numbers = {key: seeds(value, 0.0) for key, value in VALUES.items()}
    picked = comparison("<", compare="max", right=group(column=["A", "B"]))
    assert check(picked, numbers).verdict == "not decidable"
    # Each seed picks anew: 21 of 10 and 21, or of 10 and 9, less 8.
    numbers = {
        OURS: seeds(10, 0, 0),
        ("1", "ours", "B kNN"): seeds(15, 6, -6),
        THEIRS: seeds(8, 0, 0),
    }
    found = check(comparison(compare="max", left=group(column=["A", "B"])), numbers)
    assert found.margin == 7
    assert found.high - 7 == pytest.approx(
        12.7062 * np.std([13, 2], ddof=1) / math.sqrt(2), abs=1e-3
    )


def test_one_of_thirty_true_comparisons_seldom_refutes_them_all():
    rng = np.random.default_rng(0)
    columns = [f"c{place}" for place in range(30)]
    claim = comparison(compare="each", left=group(column=columns), right=group("theirs", columns))

    def fails(parts: dict[str, Any], gap: float) -> bool:
        numbers = {}
        for column in columns:
            for row, value in (("ours", 50 + gap), ("theirs", 50.0)):
                number = seeds(value, *rng.normal(0, 1, size=3))
                mean = sum(number.seeds.values()) / 3
                numbers["1", row, f"{column} kNN"] = Number(mean, 1.0, number.seeds)
        return check(parts, numbers).verdict == "fails"

    assert sum(fails(claim, 0.01) for _ in range(150)) <= 0.05 * 150
    halves = [
        comparison(compare="each", left=group(column=half), right=group("theirs", half))
        for half in (columns[:20], columns[20:])
    ]
    assert sum(fails({"all": halves}, 0.01) for _ in range(150)) <= 0.05 * 150
    assert fails(claim, -40.0)


def test_what_any_suffices_for_needs_more_to_hold_and_no_more_to_fail():
    numbers = {OURS: seeds(12.0, *SPREAD), THEIRS: seeds(8.0, 0.0, 0.0, 0.0)}
    once = check(comparison(), numbers)
    twice = {name: check({name: [comparison()] * 2}, numbers) for name in ("all", "any")}
    assert twice["all"].low == once.low and twice["all"].high > once.high
    assert twice["any"].low < once.low and twice["any"].high == once.high
