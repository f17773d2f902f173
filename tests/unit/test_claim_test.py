"""The tests of claims: p-values of one margin, and of several together."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from fedssl.paper.verdicts.claim_test import (
    Evidence,
    all_of,
    any_of,
    weigh,
)
from fedssl.paper.verdicts.contrast import Contrast
from fedssl.paper.verdicts.hypotheses import (
    Every,
    Most,
    Near,
    SomeAboveAll,
    Together,
    hypothesis_of,
)
from tests.unit.claim_tests import (
    Given,
    constants,
    key,
    margin,
    measured,
    side,
)


@given(st.floats(-5, 5), st.floats(-3, 3))
def test_the_two_p_values_of_one_margin_add_up(value, boundary):
    found = margin(value, degrees=7)
    assert found.p_above(boundary) + found.p_below(boundary) == pytest.approx(1)
    assert found.p_above(boundary) == pytest.approx(stats.t(7).sf(value - boundary))


def test_near_is_two_one_sided_tests():
    found = weigh(Near(constants(0.2), 1.0), Given(error=0.3))
    assert found.p_holds == pytest.approx(stats.norm.sf(0.8 / 0.3), rel=1e-2)
    assert found.p_fails == pytest.approx(1.0)
    outside = weigh(Near(constants(0.0, 3.0), 1.0), Given(error=0.3))
    assert outside.p_holds > 0.99
    assert outside.p_fails == pytest.approx(2 * 2 * stats.norm.sf(2 / 0.3), rel=0.1)


def test_every_margin_must_be_above_and_one_below_suffices_to_fail():
    holds = weigh(Every(constants(2, 3, 4)), Given())
    assert holds.p_holds == pytest.approx(stats.norm.sf(2), rel=1e-2)
    assert holds.margin.value == 2
    fails = weigh(Every(constants(9, 9, -3)), Given())
    assert fails.p_fails == pytest.approx(3 * stats.norm.sf(3), rel=1e-2)
    assert fails.margin.value == -3


def test_margins_together_hold_by_their_average():
    together = weigh(Together(constants(0.2, 0.3, 1.0)), Given(error=0.3))
    assert together.p_holds == pytest.approx(stats.norm.sf(0.5 / 0.3), rel=1e-2)
    assert together.p_holds < weigh(Every(constants(0.2, 0.3, 1.0)), Given(error=0.3)).p_holds


@pytest.mark.parametrize("lowest", [-0.8, -3.0])
def test_a_cell_below_forbids_that_margins_hold_together(lowest):
    found = weigh(Together(constants(5, 5, lowest)), Given(error=0.3))
    assert found.p_holds == 1
    assert found.p_fails == pytest.approx(min(1, 2 * 3 * stats.norm.cdf(lowest / 0.3)), rel=0.1)


def test_a_cell_shown_to_be_a_little_below_forbids_it_as_well():
    # -0.5 +- 0.2 is shown to be above -1, and below 0.
    assert weigh(Together(constants(5, -0.5)), Given(error=0.2)).p_holds == 1
    assert weigh(Together(constants(5, -0.2)), Given(error=0.2)).p_holds < 1e-4


def test_a_cell_that_could_be_far_below_forbids_it_too():
    # 0.2 +- 0.9 does not exclude 1 point below; the same with a smaller error does.
    assert weigh(Together(constants(5, 0.2)), Given(error=0.9)).p_holds == 1
    assert weigh(Together(constants(5, 0.2)), Given(error=0.6)).p_holds < 1e-4


@given(st.lists(st.floats(-4, 4), min_size=1, max_size=4))
def test_max_and_any_are_the_mirror_of_all(values):
    margins = constants(*values)
    one = weigh(SomeAboveAll((margins,)), Given())  # one candidate against rivals: above all
    assert one == weigh(Every(margins), Given())
    column = weigh(SomeAboveAll(tuple((m,) for m in margins)), Given())
    mirrored = weigh(Every(constants(*(-value for value in values))), Given())
    assert (column.p_holds, column.p_fails) == pytest.approx((mirrored.p_fails, mirrored.p_holds))


def test_the_largest_of_a_side_is_above_all_of_the_other():
    predicate = {
        "compare": "max",
        "left": {"table": "2", "row": ["a", "b"], "column": "X", "protocol": "knn"},
        "relation": ">",
        "right": {"table": "2", "row": ["c", "d"], "column": "X", "protocol": "knn"},
    }
    rows = {("a", "X kNN"): [1] * 3, ("b", "X kNN"): [9] * 3}
    rows |= {("c", "X kNN"): [5] * 3, ("d", "X kNN"): [6] * 3}
    source = measured(rows, sd=0.5)
    holds = weigh(hypothesis_of(predicate), source)
    z = 3 / (0.5 * math.sqrt(2 / 3))
    assert holds.p_holds == pytest.approx(2 * stats.norm.sf(z), rel=0.1)
    assert (holds.margin.value, holds.p_fails) == (3, 1)
    smallest = weigh(hypothesis_of({**predicate, "compare": "min"}), source)
    assert smallest.p_fails < 1e-6 < 0.9 < smallest.p_holds
    turned = weigh(hypothesis_of({**predicate, "relation": "<"}), source)
    assert (turned.p_holds, turned.p_fails) == pytest.approx((holds.p_fails, holds.p_holds))


@pytest.mark.parametrize(("relation", "margin_of_a"), [(">", 4.0), ("<", -4.0)])
def test_points_are_added_to_the_right_side(relation, margin_of_a):
    base = {"left": side("a"), "relation": relation, "right": side("b"), "by": -1}
    source = measured({("a", "X kNN"): [9] * 3, ("b", "X kNN"): [6] * 3}, sd=0.5)
    for how in ("mean", "max", "min"):
        found = weigh(hypothesis_of({**base, "compare": how}), source)
        assert found.margin.value == margin_of_a


@given(st.integers(0, 12), st.integers(1, 12))
def test_rounds_are_decided_by_the_sign_test(above, others):
    rows = {("a", "X best round"): [1] * above + [50] * others}
    earliest = Contrast({key("a", "X best round"): -1.0}, 1.0)
    found = weigh(Most((earliest,), strict=False), measured(rows))
    for p, alternative in ((found.p_holds, "greater"), (found.p_fails, "less")):
        oracle = stats.binomtest(above, above + others, alternative=alternative)
        assert p == pytest.approx(oracle.pvalue)


def test_the_first_round_is_early_enough_and_not_late_enough():
    source = measured({("a", "X best round"): [1, 1, 1]})
    at_first = Contrast({key("a", "X best round"): -1.0}, 1.0)
    assert weigh(Most((at_first,), strict=False), source).p_holds == 0.125
    assert weigh(Most((at_first.times(-1),), strict=True), source).p_fails == 0.125


@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=1, max_size=4))
def test_any_is_all_of_the_opposites(p_values):
    parts = [Evidence(*p) for p in p_values]
    opposites = [Evidence(b, a) for a, b in p_values]
    assert (any_of(parts).p_holds, any_of(parts).p_fails) == (
        all_of(opposites).p_fails,
        all_of(opposites).p_holds,
    )


def test_all_parts_by_hand():
    found = all_of([Evidence(0.01, 0.9, margin(3)), Evidence(0.04, 0.8, margin(2))])
    assert (found.p_holds, found.p_fails, found.margin.value) == (0.04, 1.0, 2)
    found = all_of([Evidence(0.01, 0.9, margin(3)), Evidence(0.99, 0.01, margin(-3))])
    assert (found.p_holds, found.p_fails, found.margin.value) == (0.99, 0.02, -3)


@given(st.lists(st.tuples(*[st.integers(0, 50)] * 3), min_size=3, max_size=5))
def test_trading_the_sides_trades_the_verdicts(values):
    rows = {(row, "X kNN"): list(v) for row, v in zip("abcde", values, strict=False)}
    source = measured(rows)
    for how in ("mean", "max", "min"):
        one = {"compare": how, "left": side("a"), "relation": ">", "right": side(["b", "c"])}
        other = {"compare": how, "left": side(["b", "c"]), "relation": ">", "right": side("a")}
        a, b = (weigh(hypothesis_of(p), source) for p in (one, other))
        assert (a.p_holds, a.p_fails) == pytest.approx((b.p_fails, b.p_holds))
