"""Which claims are decided: levels for many claims, and the seeds that would do."""

import math
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from fedssl.paper.verdicts.claim_test import (
    FAILS,
    HOLDS,
    UNDECIDED,
    holm_levels,
    judge_claims,
    seeds_to_decide,
    weigh,
)
from fedssl.paper.verdicts.contrast import Contrast, Measurements
from fedssl.paper.verdicts.hypotheses import (
    AllOf,
    Every,
    Most,
)
from fedssl.paper.verdicts.margins import Measured, Planned
from fedssl.paper.verdicts.power import Scatter, TrueCell, series_of, simulate
from fedssl.paper.verdicts.seed_spread import fit_noise
from tests.unit.claim_tests import (
    Given,
    constants,
    gap,
    group,
    key,
    measured,
)


@given(st.lists(st.floats(0.0001, 0.2), min_size=1, max_size=5, unique=True))
def test_holm_rejects_what_closed_testing_rejects(p_values):
    numbers = range(len(p_values))
    subsets = [s for size in numbers for s in combinations(numbers, size + 1)]
    rejected = {s for s in subsets if min(p_values[i] for i in s) <= 0.05 / len(s)}
    closed = [all(s in rejected for s in subsets if i in s) for i in numbers]
    levels = holm_levels(p_values)
    assert [p <= level for p, level in zip(p_values, levels, strict=True)] == closed


def test_holms_levels_by_hand():
    assert holm_levels([0.01, 0.04, 0.001]) == pytest.approx([0.05 / 2, 0.05, 0.05 / 3])
    assert holm_levels([0.03, 0.04, 0.001]) == pytest.approx([0.025, 0.025, 0.05 / 3])
    assert holm_levels([]) == []


def test_claims_hold_fail_or_need_more_seeds():
    claims = {
        "up": Every(constants(9)),
        "down": Every(constants(-9)),
        "open": Every(constants(1.5)),
        "on the boundary": Every(constants(0)),
    }
    found = judge_claims(claims, Given())
    assert [v.verdict for v in found.values()] == [HOLDS, FAILS, UNDECIDED, UNDECIDED]
    z = stats.norm.ppf(1 - 0.05 / 2) + stats.norm.ppf(0.8)
    assert found["open"].seeds_needed == math.ceil(3 * (z / 1.5) ** 2)
    assert found["on the boundary"].seeds_needed is None
    assert found["up"].seeds_needed is None


def test_the_seeds_needed_are_those_of_a_search_one_by_one():
    source = measured({("a", "X kNN"): [10, 11, 12], ("b", "X kNN"): [9, 10.5, 12]})
    claim = Every((gap("a", "b"),))
    found = seeds_to_decide(claim, source, level=0.01)
    decided = [k for k in range(2, 200) if weigh(claim, Planned(source, k)).p <= 0.01]
    assert found == decided[0]


def test_planned_votes_keep_their_proportion():
    source = measured({("a", "X best round"): [1, 1, 1]})
    claim = Most((Contrast({key("a", "X best round"): -1.0}, 1.0),), strict=False)
    assert seeds_to_decide(claim, source, level=0.05) == 5  # 1 / 2^5
    assert seeds_to_decide(claim, source, level=0.01) == 7


def test_a_claim_with_an_untestable_part_is_not_tested():
    rows = {
        ("a", "X kNN"): [1, 2],
        ("b", "X kNN"): [5, 7],
        ("c", "Y kNN"): [3],
        ("d", "Y kNN"): [1],
    }
    parts = Every((gap("a", "b"),)), Every((gap("c", "d", "Y kNN"),))
    found = judge_claims({"c": AllOf(parts)}, measured(rows))["c"]
    assert (found.verdict, found.evidence) == (UNDECIDED, None)


def test_claims_without_an_effect_are_rarely_decided():
    rng = np.random.default_rng(0)
    truth = {key(row): TrueCell(row, group(), 50.0) for row in "abcdefgh"}
    claims = {f"{a}{b}": Every((gap(a, b),)) for a, b in ("ab", "cd", "ef", "gh")}
    wrong = 0
    for _ in range(600):
        cells = simulate(truth, seeds=3, scatter=Scatter(1.0, seed_share=0.4), rng=rng)
        source = Measured(Measurements(cells, fit_noise(series_of(cells.values()))))
        found = judge_claims(claims, source, plan=False)
        # "Above" is false where both are equal, "at least" is true: only `holds` is wrong.
        wrong += any(verdict.verdict == HOLDS for verdict in found.values())
    assert wrong / 600 < 0.075
