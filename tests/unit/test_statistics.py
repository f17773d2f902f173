import numpy as np
import pytest

from fedssl.evaluation.statistics import average_half_width, half_width, paired_bootstrap


def correct(rate: float, samples: int, *, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).random(samples) < rate


@pytest.mark.parametrize(
    ("value", "n_eval", "seeds", "expected"),
    [
        # 1.96 sqrt(.5 x .5 / 100) = 9.8 points
        (50.0, 100, [50.0], 9.8),
        # n = 256, the samples behind one of the paper's tables: about 6 points
        (66.41, 256, [66.41], 5.7856),
        # s = 2, k = 2: 1.96 sqrt(.0025 + .0002) = 10.1845 points
        (50.0, 100, [50 - 2**0.5, 50 + 2**0.5], 10.1845),
        (0.0, 100, [0.0], 0.0),
    ],
)
def test_half_width_by_hand(value, n_eval, seeds, expected):
    assert half_width(value, n_eval, values_over_seeds=seeds) == pytest.approx(expected, abs=1e-3)


def test_half_width_is_symmetric_and_shrinks_with_the_root_of_n():
    assert half_width(30, 400, values_over_seeds=[30]) == pytest.approx(
        half_width(70, 400, values_over_seeds=[70])
    )
    assert half_width(30, 400, values_over_seeds=[30]) == pytest.approx(
        2 * half_width(30, 1600, values_over_seeds=[30])
    )


def test_half_width_of_an_average():
    alone = half_width(50, 100, values_over_seeds=[50])
    assert average_half_width([50], [100], averages_over_seeds=[50]) == pytest.approx(alone)
    four = average_half_width([50] * 4, [100] * 4, averages_over_seeds=[50])
    assert four == pytest.approx(alone / 2)  # four times the samples
    # Sampling .25 / 100 / 4 + .09 / 900 / 4 = 6.5e-4; seeds s^2 / k = 1e-4 / 4.
    mixed = average_half_width([50, 90], [100, 900], averages_over_seeds=[69, 71, 69, 71])
    assert mixed == pytest.approx(196 * (6.5e-4 + (4 / 3) * 1e-4 / 4) ** 0.5)


def test_half_width_covers_the_truth_19_times_in_20():
    rng = np.random.default_rng(0)
    measured = 100 * rng.binomial(2000, 0.3, size=4000) / 2000
    widths = [half_width(value, 2000, values_over_seeds=[value]) for value in measured]
    assert np.mean(np.abs(measured - 30) <= widths) == pytest.approx(0.95, abs=0.012)


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


def test_seeds_are_averaged_and_keep_the_samples_noise():
    a = np.zeros((2, 400))
    one = correct(0.5, 400, seed=1)
    single = paired_bootstrap([a[0]], [one], resamples=20_000, seed=0)
    # A second identical seed adds no information about the samples: the interval must not shrink.
    both = paired_bootstrap([a], [np.stack([one, one])], resamples=20_000, seed=0)
    assert both == pytest.approx(single, abs=1e-9)
    # Opposite seeds average to one half on every sample: nothing is left to vary.
    opposite = paired_bootstrap([a], [np.stack([one, ~one])], resamples=100, seed=0)
    assert opposite == (50.0, 50.0, 50.0)


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
    with pytest.raises(ValueError, match="pairs 3 with 4 samples"):
        paired_bootstrap([np.ones(3)], [np.ones(4)], resamples=10, seed=0)
    with pytest.raises(ValueError, match="pairs 0 with 0 samples"):
        paired_bootstrap([np.ones(0)], [np.ones(0)], resamples=10, seed=0)
    with pytest.raises(ValueError, match="at least one task"):
        paired_bootstrap([], [], resamples=10, seed=0)
    with pytest.raises(ValueError, match=r"shorter|longer"):
        paired_bootstrap([np.ones(3)], [], resamples=10, seed=0)
