from itertools import combinations
from math import sqrt

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import norm

from fedssl.paper.verdicts.rank_agreement import Ranked, rank_agreement
from fedssl.paper.verdicts.seed_spread import Spread


def known(sd: float) -> Spread:
    return Spread(sd, 100_000, 3)


def rows(measured, published, seeds: int = 3) -> list[Ranked]:
    return [Ranked(m, seeds, p) for m, p in zip(measured, published, strict=True)]


different = st.lists(st.integers(0, 1000), min_size=2, max_size=6, unique=True)


@given(different, different)
def test_tau_counts_pairs_and_without_noise_its_interval_is_a_point(measured, published):
    size = min(len(measured), len(published))
    pairs = list(combinations(range(size), 2))
    signs = [np.sign((measured[i] - measured[j]) * (published[i] - published[j])) for i, j in pairs]
    found = rank_agreement(rows(measured[:size], published[:size]), spread=known(1e-6))
    assert found.tau == pytest.approx(sum(signs) / len(pairs))
    assert found.interval == pytest.approx((found.tau, found.tau))
    assert (found.rows, found.undecided) == (size, 0)


@given(different, different, st.floats(0.01, 500))
def test_the_interval_holds_tau_and_turns_around_with_it(measured, published, sd):
    size = min(len(measured), len(published))
    found = rank_agreement(rows(measured[:size], published[:size]), spread=known(sd))
    low, high = found.interval
    assert -1 <= low <= found.tau + 1e-9 and found.tau - 1e-9 <= high <= 1
    turned = rank_agreement(rows([-m for m in measured[:size]], published[:size]), spread=known(sd))
    assert turned.interval == pytest.approx((-high, -low))


def test_a_pair_is_decided_where_both_sides_are():
    # One pair: the level is 5 %/2 for ours and as much for the paper's.
    z = norm.ppf(1 - 0.05 / 4)
    ours, theirs = z * sqrt(2 / 3), z * sqrt(2)
    for factor, decided in ((1.01, True), (0.99, False)):
        for gaps in ((factor * ours, 100), (100, factor * theirs)):
            found = rank_agreement(rows([0, gaps[0]], [0, gaps[1]]), spread=known(1.0))
            assert found.interval == ((1, 1) if decided else (-1, 1))


def test_seeds_in_common_rank_our_rows_better():
    near = rows([0, 1], [0, 100])
    assert rank_agreement(near, spread=known(1.0)).undecided == 1
    assert rank_agreement(near, spread=known(1.0), paired=known(0.1)).undecided == 0


def test_without_a_spread_there_is_no_interval():
    found = rank_agreement(rows([1, 2, 3], [2, 1, 3]), spread=None)
    assert (found.tau, found.interval) == (pytest.approx(1 / 3), None)


@pytest.mark.parametrize("table", [rows([1], [2]), rows([1, 1], [1, 2]), rows([1, 2], [3, 3]), []])
def test_nothing_is_ranked(table):
    assert rank_agreement(table, spread=known(1.0)) is None


def test_the_interval_holds_the_tau_of_the_true_orders():
    rng, truth = np.random.default_rng(0), np.array([10.0, 10.5, 12, 12.2, 16])
    missed = 0
    for _ in range(300):
        ours, theirs = truth + rng.normal(0, 1 / sqrt(3), 5), truth + rng.normal(0, 1, 5)
        low, high = rank_agreement(rows(ours, theirs), spread=known(1.0)).interval
        missed += not low <= 1 <= high
    assert missed / 300 < 0.05
