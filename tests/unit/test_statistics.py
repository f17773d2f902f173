import math

import numpy as np
import pytest

from fedssl.evaluation.statistics import (
    accuracy_interval,
    critical,
    paired_bootstrap,
    seed_half_width,
)


def correct(rate: float, samples: int, *, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).random(samples) < rate


def test_quantiles_are_those_of_printed_tables():
    assert critical() == pytest.approx(1.95996, abs=1e-5)
    assert critical(degrees=2) == pytest.approx(4.30265, abs=1e-5)
    assert critical(0.01, degrees=9) == pytest.approx(3.24984, abs=1e-5)


def test_the_half_width_over_seeds_by_hand():
    # s = sqrt(4 / 3), k = 4: 3.18245 s / sqrt(4)
    assert seed_half_width([49, 51, 49, 51]) == pytest.approx(
        3.18245 * math.sqrt(4 / 3) / 2, abs=1e-5
    )
    assert seed_half_width([50]) == seed_half_width([]) == 0.0


@pytest.mark.parametrize(
    ("value", "n_eval", "expected"),
    [
        # Brown, Cai and DasGupta's formula by hand: (p + z^2 / 2n +- ...) / (1 + z^2 / n).
        (50.0, 100, (40.383, 59.617)),
        (0.0, 100, (0.0, 3.699)),
        (100.0, 100, (96.301, 100.0)),
        (2.0, 50, (0.354, 10.495)),
    ],
)
def test_one_accuracy_has_wilsons_interval(value, n_eval, expected):
    found = accuracy_interval([value], [n_eval], averages_over_seeds=[value])
    assert found == pytest.approx(expected, abs=1e-3)


def test_the_interval_mirrors_and_shrinks_with_the_root_of_n():
    low, high = accuracy_interval([30], [400], averages_over_seeds=[30])
    mirrored = accuracy_interval([70], [400], averages_over_seeds=[70])
    assert (100 - high, 100 - low) == pytest.approx(mirrored)
    more = accuracy_interval([30], [1600], averages_over_seeds=[30])
    assert high - low == pytest.approx(2 * (more[1] - more[0]), rel=0.01)


def test_an_average_is_as_sure_as_all_its_samples_together():
    one, four = (accuracy_interval([50] * k, [100] * k, averages_over_seeds=[50]) for k in (1, 4))
    assert four[1] - 50 == pytest.approx((one[1] - 50) / 2)
    other = accuracy_interval([90], [900], averages_over_seeds=[90])
    mixed = accuracy_interval([50, 90], [100, 900], averages_over_seeds=[70])
    assert mixed[1] - 70 == pytest.approx(math.hypot(one[1] - 50, other[1] - 90) / 2)


def test_seeds_widen_the_interval_in_squares_and_never_beyond_a_percentage():
    alone = accuracy_interval([50], [100], averages_over_seeds=[50])
    seeds = [48, 50, 52]
    found = accuracy_interval([50], [100], averages_over_seeds=seeds)
    assert found[1] - 50 == pytest.approx(math.hypot(alone[1] - 50, 4.30265 * 2 / math.sqrt(3)))
    assert accuracy_interval([3], [100], averages_over_seeds=[0, 6]) == (
        0.0,
        pytest.approx(41.3, 1),
    )
    assert accuracy_interval([97], [100], averages_over_seeds=[94, 100])[1] == 100.0


@pytest.mark.parametrize("rate", [0.02, 0.3])
def test_the_interval_covers_the_truth_19_times_in_20(rate):
    measured = np.random.default_rng(0).binomial(200, rate, size=3000) / 2
    found = [accuracy_interval([v], [200], averages_over_seeds=[v]) for v in measured]
    covered = [low <= 100 * rate <= high for low, high in found]
    assert np.mean(covered) == pytest.approx(0.95, abs=0.02)


def test_with_three_seeds_the_interval_covers_the_truth_of_all_seeds():
    rng = np.random.default_rng(0)
    found = []
    for _ in range(1500):
        shared = rng.normal(40, 1.0)  # the samples' luck, which all seeds share
        seeds = shared + rng.normal(0, 1.5, size=3)
        found.append(accuracy_interval([seeds.mean()], [2400], averages_over_seeds=seeds))
    covered = np.mean([low <= 40 <= high for low, high in found])
    assert 0.94 <= covered <= 0.995  # 1.96 for the seeds, too, covers it 5 times in 6


def test_bootstrap_agrees_with_resampled_indices():
    a, b = correct(0.4, 300, seed=1), correct(0.5, 300, seed=2)
    index = np.random.default_rng(3).integers(300, size=(40_000, 300))
    gains = 100 * (b[index].mean(axis=1) - a[index].mean(axis=1))
    expected = (100 * (b.mean() - a.mean()), *np.percentile(gains, [2.5, 97.5]))
    found = paired_bootstrap([a], [b], resamples=40_000, seed=4)
    assert found == pytest.approx(expected, abs=0.35)


def test_bootstrap_is_paired():
    # b is right where a is and on 30 samples more: unpaired, sampling noise would hide it.
    a = correct(0.5, 1000, seed=1)
    b = a.copy()
    b[np.flatnonzero(~a)[:30]] = True
    gain, low, high = paired_bootstrap([a], [b], resamples=5000, seed=0)
    # The half-width of 30 gains in 1000 is 1.96 sqrt(.03 x .97 / 1000) = 1.06 points.
    assert (gain, low, high) == pytest.approx((3.0, 1.95, 4.06), abs=0.15)


def test_equal_predictions_gain_nothing_and_a_swap_changes_the_sign():
    a, b = correct(0.4, 200, seed=1), correct(0.6, 200, seed=2)
    assert paired_bootstrap([a], [a], resamples=100, seed=0) == (0.0, 0.0, 0.0)
    gain, low, high = paired_bootstrap([a], [b], resamples=20_000, seed=0)
    assert paired_bootstrap([b], [a], resamples=20_000, seed=0) == pytest.approx(
        (-gain, -high, -low), abs=0.6
    )


def test_tasks_weigh_equally_whatever_their_size():
    ten, thousand = np.zeros(10), np.zeros(1000)
    gain, _, _ = paired_bootstrap([ten, thousand], [ten + 1, thousand], resamples=10, seed=0)
    assert gain == 50.0


def test_a_second_identical_seed_says_nothing_new_of_the_samples():
    one, nothing = correct(0.5, 400, seed=1), np.zeros(400)
    single = paired_bootstrap([nothing], [one], resamples=20_000, seed=0)
    both = paired_bootstrap([np.zeros((2, 400))], [np.stack([one] * 2)], resamples=20_000, seed=0)
    assert both == pytest.approx(single, abs=1e-9)


def test_seeds_that_disagree_widen_the_interval():
    # Gains of +5, -2 and +1 points, each on samples of its own: t s / sqrt(k) = 8.72 points.
    before = np.zeros((3, 1000))
    before[1, 500:520] = 1
    after = np.zeros((3, 1000))
    after[0, :50] = after[2, 900:910] = 1
    gain, low, high = paired_bootstrap([before], [after], resamples=2000, seed=0)
    assert gain == pytest.approx(4 / 3)
    seeds = 4.30265 * np.std([5, -2, 1], ddof=1) / math.sqrt(3)
    assert low < gain - seeds < 0 < gain + seeds < high
    assert high - low < 2 * math.hypot(seeds, 0.6)


def test_three_seeds_without_a_true_gain_seldom_exclude_zero():
    rng = np.random.default_rng(0)
    alarms = []
    for run in range(400):
        rates = 0.4 + rng.normal(0, 0.015, size=(3, 1))
        before, after = rng.random((3, 1500)) < 0.4, rng.random((3, 1500)) < rates
        _, low, high = paired_bootstrap([before], [after], resamples=400, seed=run)
        alarms.append(low > 0 or high < 0)
    assert np.mean(alarms) <= 0.05


def test_bootstrap_depends_on_its_seed_alone():
    a, b = [correct(0.4, 99, seed=1)] * 2, [correct(0.6, 99, seed=2)] * 2
    np.random.seed(1)  # the global generator must not matter
    first = paired_bootstrap(a, b, resamples=500, seed=7)
    np.random.seed(2)
    assert paired_bootstrap(a, b, resamples=500, seed=7) == first
    assert paired_bootstrap(a, b, resamples=500, seed=8)[1:] != first[1:]


def test_equal_tasks_draw_their_own_streams():
    a, b = correct(0.4, 100, seed=1), correct(0.6, 100, seed=2)
    one = paired_bootstrap([a], [b], resamples=20_000, seed=0)
    four = paired_bootstrap([a] * 4, [b] * 4, resamples=20_000, seed=0)
    assert (four[2] - four[1]) / (one[2] - one[1]) == pytest.approx(0.5, abs=0.03)


def test_unpaired_samples_are_refused():
    with pytest.raises(ValueError, match="pairs 1 seeds of 3 with 1 seeds of 4 samples"):
        paired_bootstrap([np.ones(3)], [np.ones(4)], resamples=10, seed=0)
    with pytest.raises(ValueError, match="pairs 2 seeds of 3 with 1 seeds of 3 samples"):
        paired_bootstrap([np.ones((2, 3))], [np.ones(3)], resamples=10, seed=0)
    with pytest.raises(ValueError, match="pairs 1 seeds of 0 with"):
        paired_bootstrap([np.ones(0)], [np.ones(0)], resamples=10, seed=0)
    with pytest.raises(ValueError, match="at least one task"):
        paired_bootstrap([], [], resamples=10, seed=0)
    with pytest.raises(ValueError, match=r"shorter|longer"):
        paired_bootstrap([np.ones(3)], [], resamples=10, seed=0)
