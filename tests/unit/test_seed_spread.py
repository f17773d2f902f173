import math
from statistics import mean, stdev

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import polygamma

from fedssl.paper.verdicts.power import Scatter, TrueCell, series_of, simulate
from fedssl.paper.verdicts.seed_spread import (
    Group,
    Series,
    Spread,
    fit_noise,
    inverse_trigamma,
    pooled_spreads,
    prior_degrees,
)

KNN = Group("cifar10", "knn")


def series(model: str, values: list[float], *, group: Group = KNN) -> Series:
    return Series(model, group, {str(seed): value for seed, value in enumerate(values)})


def cells(table: np.ndarray, *, group: Group = KNN) -> list[Series]:
    return [series(f"model {i}", list(row), group=group) for i, row in enumerate(table)]


tables = st.integers(2, 4).flatmap(
    lambda seeds: st.lists(
        st.lists(st.integers(0, 1000).map(lambda x: x / 10), min_size=seeds, max_size=seeds),
        min_size=2,
        max_size=5,
    )
)


def test_the_pooled_deviation_by_hand():
    # Squares 2 and 6 over 1 + 2 degrees of freedom.
    found = pooled_spreads([series("a", [1, 3]), series("b", [10, 10, 13])])[KNN]
    assert found.sd == pytest.approx(math.sqrt(8 / 3))
    assert (found.degrees, found.seeds) == (3, 2.5)


def test_one_seed_everywhere_has_no_spread():
    noise = fit_noise([series("a", [1]), series("b", [9])])
    assert noise.total == noise.paired == {}
    assert noise.correlation == 0


def test_a_cell_with_one_seed_borrows_the_spread_of_others():
    found = pooled_spreads([series("a", [1, 3]), series("b", [50])])[KNN]
    assert (found.sd, found.degrees) == (pytest.approx(math.sqrt(2)), 1)


def test_a_number_that_two_tables_print_counts_once():
    once = pooled_spreads([series("a", [1, 3]), series("b", [4, 9])])
    twice = pooled_spreads([series("a", [1, 3]), series("b", [4, 9]), series("a", [1, 3])])
    assert once == twice


@given(tables)
def test_two_models_have_the_spread_of_their_paired_differences(table):
    first, second = table[:2]
    noise = fit_noise([series("a", first), series("b", second)])
    gaps = [a - b for a, b in zip(first, second, strict=True)]
    assert math.sqrt(2) * noise.paired[KNN].sd == pytest.approx(stdev(gaps), abs=1e-9)
    assert noise.paired[KNN].degrees == len(gaps) - 1


@given(tables)
def test_what_a_seed_does_to_every_model_is_no_spread_of_differences(table):
    values = np.array(table)
    moved = values + 7.0 * np.arange(values.shape[1])
    before, after = (fit_noise(cells(t)).paired[KNN] for t in (values, moved))
    assert after.sd == pytest.approx(before.sd, abs=1e-9)


@given(tables, st.permutations(range(5)), st.floats(0.1, 10))
def test_the_spread_follows_the_scale_and_neither_order_nor_level(table, order, scale):
    values = np.array(table)
    rows = [i for i in order if i < len(values)]
    other = scale * values[rows][:, ::-1] + np.arange(len(rows))[:, None]
    before, after = fit_noise(cells(values)), fit_noise(cells(other))
    for kind in ("total", "paired"):
        one, two = getattr(before, kind)[KNN], getattr(after, kind)[KNN]
        assert two.sd == pytest.approx(scale * one.sd, abs=1e-9)
        assert two.degrees == one.degrees


def test_missing_seeds_leave_the_degrees_that_a_regression_leaves():
    values = [series("a", [1, 2, 4]), series("b", [2, 2, 5]), series("c", [9, 12])]
    found = fit_noise(values).paired[KNN]
    design = np.array(
        [
            [m == i for i in range(3)] + [s == j for j in range(3)]
            for m, k in enumerate((3, 3, 2))
            for s in range(k)
        ],
        dtype=float,
    )
    y = np.concatenate([list(one.values.values()) for one in values])
    left = y - design @ np.linalg.pinv(design) @ y
    degrees = len(y) - np.linalg.matrix_rank(design)
    assert found.degrees == degrees == 3
    assert found.sd == pytest.approx(math.sqrt(left @ left / degrees))


@pytest.mark.parametrize("y", [1e-8, 1e-3, 0.5, 1.6449, 30.0, 1e8])
def test_the_inverse_of_trigamma(y):
    assert float(polygamma(1, inverse_trigamma(y))) == pytest.approx(y, rel=1e-3)


def test_the_prior_is_found_again_in_many_groups():
    rng = np.random.default_rng(0)
    true = 8 / rng.chisquare(8, 20_000)  # variances of groups: scaled inverse chi-square, d0 = 8
    measured = true * rng.chisquare(4, 20_000) / 4
    assert prior_degrees([(v, 4) for v in measured]) == pytest.approx(8, rel=0.1)


def test_tasks_that_scatter_alike_share_one_spread_and_few_tasks_share_nothing():
    alike = [series("a", [0, 2], group=Group(task, "knn")) for task in "abcd"]
    found = pooled_spreads(alike)
    assert {s.degrees for s in found.values()} == {4}
    assert {round(s.sd, 9) for s in found.values()} == {round(math.sqrt(2), 9)}
    assert {s.degrees for s in pooled_spreads(alike[:2]).values()} == {1}


def test_a_task_moves_towards_its_protocol_and_no_other():
    spans = {"a": 1.0, "b": 2.0, "c": 40.0, "d": 3.0}
    knn = [series("m", [0, span], group=Group(task, "knn")) for task, span in spans.items()]
    probe = [series("m", [0, 500.0], group=Group("a", "linear-probe"))]
    found = pooled_spreads([*knn, *probe])
    own = {task: span / math.sqrt(2) for task, span in spans.items()}
    pool = math.sqrt(mean(sd**2 for sd in own.values()))
    for task, sd in own.items():
        assert min(sd, pool) <= found[Group(task, "knn")].sd <= max(sd, pool)
        assert 1 < found[Group(task, "knn")].degrees <= 4
    assert found == {**pooled_spreads(knn), **pooled_spreads(probe)}


def test_averages_borrow_from_averages():
    tasks = [series("m", [0, 20.0], group=Group(task, "knn")) for task in "abc"]
    average = series("m", [0, 1.0], group=Group("a b c", "knn"))
    found = pooled_spreads([*tasks, average])[average.group]
    assert (found.sd, found.degrees) == (pytest.approx(math.sqrt(0.5)), 1)


def test_more_seeds_of_the_same_cells_make_the_spread_better_known():
    assert Spread(2.0, 8, 3).with_seeds(5) == Spread(2.0, 16, 5)


@pytest.mark.parametrize("share", [0.0, 0.5])
def test_a_good_seed_of_a_model_shows_on_all_of_its_tasks(share):
    truth = {
        ("", f"{model}", task): TrueCell(f"{model}", Group(task, "knn"), 50.0)
        for model in range(30)
        for task in "abcde"
    }
    scatter, rng = Scatter(1.0, model_share=share), np.random.default_rng(0)
    drawn = simulate(truth, seeds=10, scatter=scatter, rng=rng)
    assert fit_noise(series_of(drawn.values())).correlation == pytest.approx(share, abs=0.08)


def test_an_average_does_not_count_as_a_task_that_agrees_with_its_own():
    truth = {
        ("", f"{model}", task): TrueCell(f"{model}", Group(task, "knn"), 50.0)
        for model in range(30)
        for task in ("a", "b", "a b")
    }
    drawn = simulate(truth, seeds=10, scatter=Scatter(1.0), rng=np.random.default_rng(0))
    assert fit_noise(series_of(drawn.values())).correlation < 0.1


def test_a_single_model_has_no_other_to_be_paired_with():
    noise = fit_noise([series("a", [1, 3])])
    assert noise.paired == noise.total


@settings(deadline=None, max_examples=20)
@given(st.sampled_from([0.0, 0.5, 0.9]))
def test_both_spreads_are_right_on_average(share):
    scatter, rng = Scatter(0.7, seed_share=share), np.random.default_rng(1)
    truth = {("", str(i), "x"): TrueCell(str(i), KNN, 50.0) for i in range(4)}
    runs = [
        fit_noise(series_of(simulate(truth, seeds=3, scatter=scatter, rng=rng).values()))
        for _ in range(400)
    ]
    total = mean(run.total[KNN].sd ** 2 for run in runs)
    paired = mean(run.paired[KNN].sd ** 2 for run in runs)
    assert total == pytest.approx(0.49, rel=0.2)
    assert paired == pytest.approx(0.49 * (1 - share), rel=0.2)
