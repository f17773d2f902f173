"""Margins of claims: their estimates from seeds, tasks and printed numbers."""

import math
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from fedssl.paper.verdicts.claim_test import (
    UNDECIDED,
    judge_claims,
)
from fedssl.paper.verdicts.contrast import Contrast, Measurements, Printed, mean_contrast
from fedssl.paper.verdicts.hypotheses import (
    Together,
)
from fedssl.paper.verdicts.margins import Measured
from fedssl.paper.verdicts.seed_spread import SeedNoise, Spread
from tests.unit.claim_tests import (
    gap,
    group,
    key,
    measured,
    series,
)


@given(
    st.lists(st.tuples(*[st.integers(0, 100)] * 2), min_size=2, max_size=6).filter(
        lambda pairs: len({a - b for a, b in pairs}) > 1
    )
)
def test_two_models_alone_are_compared_by_the_paired_t_test(pairs):
    first, second = map(list, zip(*pairs, strict=True))
    source = measured({("a", "X kNN"): first, ("b", "X kNN"): second})
    found = source.estimate(gap("a", "b"))
    for alternative, p in (("greater", found.p_above()), ("less", found.p_below())):
        assert p == pytest.approx(stats.ttest_rel(first, second, alternative=alternative).pvalue)


def test_the_t_test_agrees_with_a_permutation_of_signs():
    rng = np.random.default_rng(0)
    first, second = rng.normal(0.5, 1, 12), rng.normal(0, 1, 12)
    found = measured({("a", "X kNN"): first, ("b", "X kNN"): second}).estimate(gap("a", "b"))
    differences = first - second
    signs = np.array(list(product((1, -1), repeat=12)))
    permuted = np.mean(signs @ differences >= differences.sum() - 1e-12)
    assert found.p_above() == pytest.approx(permuted, abs=0.01)


def test_a_printed_number_is_one_run():
    cells = {key("a"): series("a", [50, 51, 52]), key("b"): Printed(group(), 48.0)}
    noise = SeedNoise({group(): Spread(1.0, 8, 3)}, {group(): Spread(0.1, 8, 3)}, 0.0)
    found = Measured(Measurements(cells, noise)).estimate(gap("a", "b"))
    assert (found.value, found.error) == (3.0, pytest.approx(math.sqrt(1 / 3 + 1)))
    # More seeds of ours add nothing to the certainty of the paper's run.
    assert found.planned(300, allowance=0).error == pytest.approx(math.sqrt(1 / 300 + 1))


def test_tasks_of_one_model_count_as_independent_as_far_as_they_are():
    rows = {(m, c): [10, 10, 10] for m in "ab" for c in ("X kNN", "Y kNN")}
    average = mean_contrast([gap("a", "b", c) for c in ("X kNN", "Y kNN")])
    for correlation in (0.0, 0.5, 1.0):
        found = measured(rows, sd=1.0, correlation=correlation).estimate(average)
        assert found.error == pytest.approx(math.sqrt((1 + correlation) / 3))


def test_a_difference_of_tasks_does_not_rely_on_their_correlation():
    rows = {(m, c): [10, 10, 10] for m in "ab" for c in ("X kNN", "Y kNN")}
    difference = gap("a", "b").minus(gap("a", "b", "Y kNN"))
    errors = {
        correlation: measured(rows, sd=1.0, correlation=correlation).estimate(difference).error
        for correlation in (0.0, 0.9)
    }
    assert errors[0.0] == errors[0.9] == pytest.approx(math.sqrt(4 / 3))


def test_a_model_printed_twice_is_one_model():
    cells = {key("a"): series("a", [1, 2]), ("8", "a", "X kNN"): series("a", [1, 2])}
    noise = SeedNoise({group(): Spread(1.0, 8, 2)}, {group(): Spread(1.0, 8, 2)}, 0.0)
    twice = Contrast({key("a"): 1.0, ("8", "a", "X kNN"): -1.0})
    found = Measured(Measurements(cells, noise)).estimate(twice)
    assert (found.value, found.error) == (0.0, 0.0)
    assert found.p_above() == found.p_below() == 0.5


def test_only_shared_seeds_are_compared():
    rows = {("a", "X kNN"): [1, 2, 3], ("b", "X kNN"): [0, 0], ("c", "X kNN"): [5, 9, 7]}
    found = measured(rows).estimate(gap("a", "b"))
    assert (found.value, found.seeds) == (1.5, 2)


def test_one_seed_decides_nothing():
    source = measured({("a", "X kNN"): [90], ("b", "X kNN"): [10]})
    found = judge_claims({"c": Together((gap("a", "b"),))}, source)["c"]
    assert (found.verdict, found.evidence, found.seeds_needed) == (UNDECIDED, None, None)
