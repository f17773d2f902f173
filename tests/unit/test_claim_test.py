import math
from itertools import combinations, product
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from fedssl.paper.claims.claims import read_claims
from fedssl.paper.verdicts.claim_test import (
    FAILS,
    HOLDS,
    UNDECIDED,
    Evidence,
    all_of,
    any_of,
    holm_levels,
    judge_claims,
    seeds_to_decide,
    weigh,
)
from fedssl.paper.verdicts.contrast import Contrast, Estimate, Measurements, Printed, mean_contrast
from fedssl.paper.verdicts.hypotheses import (
    AllOf,
    Every,
    Most,
    Near,
    SomeAboveAll,
    Together,
    cells_of,
    hypothesis_of,
)
from fedssl.paper.verdicts.margins import Measured, Planned
from fedssl.paper.verdicts.power import Scatter, TrueCell, series_of, simulate
from fedssl.paper.verdicts.seed_spread import Group, SeedNoise, Series, Spread, fit_noise

CLAIMS = Path(__file__).parents[2] / "config/claims.yaml"
KNOWN = 10_000  # degrees of freedom: as good as a known deviation


def key(row: str, column: str = "X kNN") -> tuple[str, str, str]:
    return ("2", row, column)


def group(column: str = "X kNN") -> Group:
    return Group(column, "knn")


def series(row: str, values, column: str = "X kNN") -> Series:
    return Series(row, group(column), {str(seed): float(v) for seed, v in enumerate(values)})


def measured(rows, *, sd: float | None = None, correlation: float = 0.0) -> Measured:
    """Return measurements of {(row, column): values}, their spread fitted or given."""
    cells = {key(*name): series(name[0], values, name[1]) for name, values in rows.items()}
    noise = fit_noise(cells.values())
    if sd is not None:
        spreads = {one.group: Spread(sd, KNOWN, 3) for one in cells.values()}
        noise = SeedNoise(spreads, spreads, correlation)
    return Measured(Measurements(cells, noise))


def gap(a: str, b: str, column: str = "X kNN") -> Contrast:
    return Contrast({key(a, column): 1.0, key(b, column): -1.0})


def margin(value: float, error: float = 1.0, *, degrees: float = KNOWN, seeds: int = 3) -> Estimate:
    return Estimate(value, error, degrees, seeds)


class Given:
    """Margins by their constant: the value, each with a standard error of 1."""

    def __init__(self, *, error: float = 1.0) -> None:
        self.error = error

    def estimate(self, contrast: Contrast) -> Estimate:
        return margin(contrast.constant, self.error)

    def votes(self, hypothesis: Most) -> tuple[int, int]:
        raise NotImplementedError


def constants(*values: float) -> tuple[Contrast, ...]:
    return tuple(Contrast({}, value) for value in values)


# Estimates


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


@given(st.floats(-5, 5), st.floats(-3, 3))
def test_the_two_p_values_of_one_margin_add_up(value, boundary):
    found = margin(value, degrees=7)
    assert found.p_above(boundary) + found.p_below(boundary) == pytest.approx(1)
    assert found.p_above(boundary) == pytest.approx(stats.t(7).sf(value - boundary))


# Kinds of hypotheses


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


# Claims of a paper


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


# Predicates


@pytest.mark.parametrize(
    ("id_", "kind", "margins"),
    [
        ("consistently-superior", Together, 30),
        ("beats-model-combination", Together, 10),
        ("epic-kitchens-competitive", Every, 2),  # each within its 2 points
        ("predictive-better-on-speech-commands", Every, 2),  # two against one
        ("image-r18-knn-gain", Near, 1),
        ("audio-best-from-30-percent-both", SomeAboveAll, 4),
        ("selected-round-beats-last", Every, 1),
    ],
)
def test_the_kind_of_hypothesis_of_shipped_claims(id_, kind, margins):
    claim = next(claim for claim in read_claims(CLAIMS) if claim["id"] == id_)
    found = hypothesis_of(claim["predicate"])
    assert isinstance(found, kind)
    assert len(found.margins) == margins


def side(row, column="X"):
    return {"table": "2", "row": row, "column": column, "protocol": "knn"}


def test_a_margin_has_the_sign_of_its_relation():
    base = {"compare": "mean", "left": side(["a", "b"]), "right": side("c"), "by": 2}
    above = hypothesis_of({**base, "relation": ">"}).margins[0]
    assert above.weights == {key("a"): 0.5, key("b"): 0.5, key("c"): -1.0}
    assert above.constant == -2
    below = hypothesis_of({**base, "relation": "<"}).margins[0]
    assert below.weights == {name: -weight for name, weight in above.weights.items()}
    assert below.constant == 2


def test_the_row_over_which_a_number_counts_is_subtracted():
    left = {**side("a"), "over": "b"}
    found = hypothesis_of({"compare": "mean", "left": left, "relation": ">", "by": 1})
    assert found.margins[0] == Contrast({key("a"): 1.0, key("b"): -1.0}, -1.0)


def test_rows_times_columns_run_row_by_row():
    both = {**side(["a", "b"]), "column": ["X", "Y"]}
    found = hypothesis_of({"compare": "each", "left": both, "relation": ">", "by": 1})
    cells = [(row, column) for _, row, column in cells_of(found)]
    assert cells == [(row, column) for row in "ab" for column in ("X kNN", "Y kNN")]


def test_exceptions_are_left_out():
    each = {"compare": "each", "left": side(["a", "b"]), "relation": ">", "right": side(["c", "d"])}
    kept = hypothesis_of({**each, "except": [{"row": "a", "column": "X kNN"}]})
    assert kept.margins == (gap("b", "d"),)
    for unfit in ([{"row": "a"}, {"row": "b"}], [{"row": "c"}], [{"column": "Y kNN"}]):
        with pytest.raises(ValueError, match="must each leave out a cell of the left side, and"):
            hypothesis_of({**each, "except": unfit})


def test_what_cannot_be_tested_is_refused():
    with pytest.raises(ValueError, match="2 cells cannot each be compared with one of 3"):
        hypothesis_of(
            {
                "compare": "each",
                "left": side(["a", "b"]),
                "relation": ">",
                "right": side(["c", "d", "e"]),
            }
        )
    with pytest.raises(ValueError, match="has no test"):
        hypothesis_of({"compare": "max", "left": side("a"), "relation": "=", "right": side("b")})


@given(st.lists(st.tuples(*[st.integers(0, 50)] * 3), min_size=3, max_size=5))
def test_trading_the_sides_trades_the_verdicts(values):
    rows = {(row, "X kNN"): list(v) for row, v in zip("abcde", values, strict=False)}
    source = measured(rows)
    for how in ("mean", "max", "min"):
        one = {"compare": how, "left": side("a"), "relation": ">", "right": side(["b", "c"])}
        other = {"compare": how, "left": side(["b", "c"]), "relation": ">", "right": side("a")}
        a, b = (weigh(hypothesis_of(p), source) for p in (one, other))
        assert (a.p_holds, a.p_fails) == pytest.approx((b.p_fails, b.p_holds))
