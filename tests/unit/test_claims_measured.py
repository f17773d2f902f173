"""Claims on measured tables, with made-up claims."""

import math

import pytest
from scipy import stats

from fedssl.paper.published import heading
from fedssl.paper.seeds import Seeds
from tests.unit.made_up_claims import CLAIM, PREDICATE, SPREAD, measured, result, results, row

T = 4.30265  # two-sided 5 % quantile of Student's t with 2 degrees of freedom


def test_two_rows_alone_are_compared_by_the_paired_t_test(tmp_path):
    theirs = (0.2, -0.3, 0.1)
    found = result(tmp_path, [measured("ours", 11, *SPREAD), measured("theirs", 10, *theirs)])
    assert (found["published"], found["published_margin"]) == ("holds", 2)
    assert (found["measured"], found["measured_margin"], found["scaled"]) == ("undecided", 1, False)
    pairs = [11 + own for own in SPREAD], [10 + own for own in theirs]
    for column, alternative in (("p_holds", "greater"), ("p_fails", "less")):
        p = stats.ttest_rel(*pairs, alternative=alternative).pvalue
        assert found[column] == pytest.approx(p, abs=1e-6)
    interval = stats.ttest_rel(*pairs).confidence_interval(0.95)
    assert (found["low"], found["high"]) == pytest.approx(interval, abs=1e-4)
    assert found["level"] == 0.05 and found["seeds_needed"] > 3
    evidence = "11.00 (table 1: ours, A kNN) against 10.00 (table 1: theirs, A kNN)"
    assert found["measured_evidence"] == evidence


def test_seeds_are_paired(tmp_path):
    rows = [measured("ours", 8.1, *SPREAD), measured("theirs", 8, *SPREAD)]
    assert result(tmp_path, rows)["measured"] == "holds"
    rows = [measured("ours", 8.1, *SPREAD), measured("theirs", 8, *SPREAD[::-1])]
    assert result(tmp_path, rows)["measured"] == "undecided"


@pytest.mark.parametrize(
    ("theirs", "verdict"), [(10.0, "holds"), (10.8, "undecided"), (12.9, "fails")]
)
def test_seeds_may_leave_a_measured_claim_open(tmp_path, theirs, verdict):
    rows = [measured("ours", 11.3, *SPREAD), measured("theirs", theirs, 0, 0, 0)]
    found = result(tmp_path, rows)
    assert found["measured"] == verdict
    assert (found["seeds_needed"] != "") is (verdict == "undecided")
    assert ("is not above" in found["measured_evidence"]) is (verdict == "fails")


def test_one_seed_everywhere_decides_nothing(tmp_path):
    found = result(tmp_path, [measured("ours", 80, 0), measured("theirs", 8, 0)])
    assert (found["measured"], found["measured_margin"], found["level"]) == ("undecided", "", "")
    assert found["measured_evidence"].startswith("the spread of seeds is unknown: no cell of a ")


def test_cells_without_a_common_seed_decide_nothing(tmp_path):
    theirs = measured("theirs", 8, 0, 0)
    (own,) = theirs["seeds"]
    moved = {f"{int(seed) + 5}": value for seed, value in own.values.items()}
    theirs["seeds"] = [Seeds(own.row, own.column, own.error, moved, models=own.models)]
    found = result(tmp_path, [measured("ours", 80, *SPREAD), theirs])
    assert found["measured"] == "undecided"
    assert found["measured_evidence"] == "no seed was measured in all cells of the claim"


def test_one_seed_borrows_the_spread_of_other_trained_rows(tmp_path):
    rows = [measured("ours", 11, 0), measured("theirs", 8, 0), measured("third", 9, *SPREAD)]
    noisy = measured("random init", 1, -5, 0, 5, model="")
    half = T * 0.5 * math.sqrt(2)
    for table in ([*map(dict, rows)], [*rows, noisy]):
        found = result(tmp_path, table)
        assert found["measured"] == "holds"
        assert (found["low"], found["high"]) == pytest.approx((3 - half, 3 + half), abs=1e-4)


def test_the_claims_of_a_paper_share_an_error_rate(tmp_path):
    def verdicts(**other: str) -> list[str]:
        rows = [measured("ours", 11.2, *SPREAD), measured("theirs", 10, 0, 0, 0)]
        rows += [measured(name, 10, 0, 0, 0, column="B kNN") for name in ("ours", "theirs")]
        sides = {name: PREDICATE[name] | {"column": "B"} for name in ("left", "right")}
        second = CLAIM | {"id": "second", "untabulated": True, "predicate": PREDICATE | sides}
        frame = results(tmp_path, rows, CLAIM, second | other)
        return list(zip(frame["measured"], frame["level"], strict=True))

    p = stats.t.sf(1.2 / (0.5 / math.sqrt(3)), 2)
    assert 0.025 < p < 0.05
    assert verdicts() == [("undecided", 0.025), ("undecided", 0.025)]
    assert verdicts(paper="fassl") == [("holds", "0.05"), ("not-run", "")]


def test_a_model_that_two_tables_print_is_the_same(tmp_path):
    rows = [
        measured("ours", 9, *SPREAD),
        measured("again", 9, *SPREAD, table="2", model="ours"),
        measured("theirs", 8, *SPREAD[::-1]),
    ]
    sides = {"right": PREDICATE["right"] | {"table": "2", "row": "again"}}
    claim = {"predicate": PREDICATE | sides | {"by": -1}, "untabulated": True}
    found = result(tmp_path, rows, **claim)
    assert (found["measured"], found["low"], found["high"]) == ("holds", 1, 1)
    rows = [measured("ours", 9, *SPREAD), measured("again", 9, *SPREAD[::-1], table="2")]
    assert result(tmp_path, rows, **claim)["measured"] == "undecided"


def test_scaled_numbers_are_flagged(tmp_path):
    rows = [measured("ours", 11, *SPREAD, verdict="scaled"), measured("theirs", 8, *SPREAD)]
    found = result(tmp_path, rows)
    assert (found["measured"], found["scaled"]) == ("holds", True)


def test_what_is_measured_may_have_a_predicate_of_its_own(tmp_path):
    held_out = {name: {**PREDICATE[name], "column": "B"} for name in ("left", "right")}
    rows = [
        measured(name, value, 0, 0, column=f"{column} kNN")
        for name, column, value in (
            ("ours", "A", 12),
            ("theirs", "A", 8),
            ("ours", "B", 1),
            ("theirs", "B", 8),
        )
    ]
    found = result(tmp_path, rows, measured=PREDICATE | held_out)
    assert (found["published"], found["measured"]) == ("holds", "fails")


def test_a_chosen_round_counts_the_seeds_for_which_the_claim_is_true(tmp_path):
    early = {"table": "1", "row": "ours", "column": "A", "protocol": "chosen-round"}
    claim = {"compare": "each", "left": early, "relation": "<=", "by": 1}
    rounds = measured(
        "ours", 1, 0, 0, 4, column=heading("A", "chosen-round"), protocol="chosen-round"
    )
    found = result(tmp_path, [rounds], predicate=claim, untabulated=True)
    assert found["measured_evidence"] == "true for 2 of 3 seeds"
    assert (found["measured"], found["measured_margin"]) == ("undecided", "")
    assert found["p_holds"] == stats.binomtest(2, 3, alternative="greater").pvalue


def test_one_cell_not_run_leaves_the_claim_not_run(tmp_path):
    found = result(tmp_path, [measured("ours", 9, *SPREAD), row("theirs", published=10)])
    assert (found["measured"], found["measured_margin"], found["scaled"]) == ("not-run", "", "")
    assert found["measured_evidence"] == "1 of 2 numbers not run"


def test_another_studys_or_tables_number_does_not_count(tmp_path):
    for other in ({"study": "fassl"}, {"table": "2"}, {"column": "A L.P"}):
        rows = [measured("ours", 9, *SPREAD), measured("theirs", 8, *SPREAD, **other)]
        assert result(tmp_path, rows)["measured"] == "not-run"


def test_what_only_the_paper_has_is_one_run(tmp_path):
    only = row("theirs", published=10, n_seeds=0, verdict="published-only")
    found = result(tmp_path, [measured("ours", 8, *SPREAD), only])
    assert (found["measured"], found["measured_margin"]) == ("fails", -2)
    assert found["high"] == pytest.approx(-2 + T * 0.5 * math.sqrt(1 + 1 / 3), abs=1e-4)


def test_a_gain_as_printed_is_one_within_a_point_when_measured(tmp_path):
    gain = {"predicate": PREDICATE | {"relation": "=", "by": 2.02}}
    rows = [measured("ours", 9, *SPREAD), measured("theirs", 8, *SPREAD)]
    found = result(tmp_path, rows, **gain)
    assert (found["published"], found["published_margin"]) == ("fails", -0.01)
    assert (found["measured"], found["measured_margin"]) == ("fails", -1.02)
    assert found["measured_evidence"].endswith(
        "is not within 1 of 8.00 (table 1: theirs, A kNN) plus 2.02"
    )
    rows = [measured("ours", 9.5, *SPREAD), measured("theirs", 8, *SPREAD)]
    assert result(tmp_path, rows, **gain)["measured"] == "holds"
