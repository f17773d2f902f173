"""Median, trimmed mean and norm clipping: by hand, as laws, and against SciPy."""

import math
from collections.abc import Sequence

import hypothesis
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.stats import trim_mean

from fedssl.aggregators import ClientUpdate, build, get_aggregator
from fedssl.aggregators.cohort import Cohort, collector
from fedssl.federation.uploads import clipped

NAME = "backbone.A"
# From a fresh server state these return a mean, median or trimmed mean of the clients.
CONVEX = ("fedavg", "fairavg", "loss", "fedu", "fedprox-bb", "fedavgm", "median", "trimmed-mean")
laws = hypothesis.settings(deadline=None, max_examples=60)
_NUMBERS = st.floats(-1e6, 1e6, width=32)
# Also what no client that trains would send, and float32 can hold.
_ANY = st.floats(width=32, allow_nan=False, allow_infinity=False)


def clients_of(numbers: st.SearchStrategy[float], *, least: int = 1) -> st.SearchStrategy:
    """Return values of up to 9 clients, (clients, 3)."""
    return st.integers(least, 9).flatmap(
        lambda count: arrays(np.float32, (count, 3), elements=numbers)
    )


def updates_of(values: np.ndarray) -> list[ClientUpdate]:
    """Return updates with different numbers of samples and losses."""
    return [
        ClientUpdate({NAME: torch.tensor(own)}, 1 + 7 * place % 5, 0.3 * place)
        for place, own in enumerate(values)
    ]


def combined(rule: str, values: np.ndarray | Sequence[Sequence[float]], **own: object) -> list:
    start = {NAME: torch.zeros(len(values[0]))}
    collected = collector(build(rule, **own), start)
    for update in updates_of(np.asarray(values, np.float32)):
        assert collected.add(update) is None
    return collected.step({})[0][NAME].tolist()


def test_the_median_by_hand() -> None:
    three = [[1.0, -5.0], [2.0, 0.0], [100.0, 4.0]]
    assert combined("median", three) == [2.0, 0.0]
    assert combined("median", [*three, [4.0, 1.0]]) == [3.0, 0.5], "the mean of the middle two"
    assert combined("median", three[:1]) == [1.0, -5.0]


def test_the_trimmed_mean_by_hand() -> None:
    five = [[-90.0], [1.0], [2.0], [6.0], [700.0]]
    assert combined("trimmed-mean", five, beta=0.2) == [3.0]
    assert combined("trimmed-mean", five, beta=0.4) == [2.0], "two at each end"
    assert combined("trimmed-mean", five[:4], beta=0.2) == [-20.25], "a fifth of four is nobody"
    assert combined("trimmed-mean", [[0.0], [3.0], [4.0], [9.0]], beta=0.49) == [3.5]


@pytest.mark.parametrize(("rule", "expected"), [("median", 12), ("trimmed-mean", 13)])
def test_counters_are_rounded_and_keep_their_type(rule: str, expected: int) -> None:
    held = {"backbone.n": torch.tensor(0)}
    updates = [ClientUpdate({"backbone.n": torch.tensor(n)}, 1, 0.0) for n in (11, 12, 12, 16)]
    state = get_aggregator(rule)(held, updates)
    assert state["backbone.n"].dtype == torch.int64 and int(state["backbone.n"]) == expected


@laws
@given(clients_of(_NUMBERS), st.floats(0.0, 0.49))
def test_both_are_those_of_numpy_and_scipy(values: np.ndarray, beta: float) -> None:
    wide = values.astype(np.float64)
    assert combined("median", values) == np.median(wide, axis=0).astype(np.float32).tolist()
    found = combined("trimmed-mean", values, beta=beta)
    np.testing.assert_allclose(found, trim_mean(wide, beta), rtol=1e-6, atol=1e-3)


@laws
@given(clients_of(_NUMBERS), st.sampled_from(CONVEX))
def test_the_next_model_is_between_the_clients(values: np.ndarray, rule: str) -> None:
    found = np.float32(get_aggregator(rule)({NAME: torch.zeros(3)}, updates_of(values))[NAME])
    # A mean in float64 is rounded to a float32, which is never outside, but FedAvgM adds it.
    slack = 1e-6 * np.abs(values).max()
    assert (found >= values.min(axis=0) - slack).all()
    assert (found <= values.max(axis=0) + slack).all()


@laws
@given(clients_of(_NUMBERS), st.permutations(range(9)), st.sampled_from(["median", "trimmed-mean"]))
def test_the_order_of_clients_changes_no_bit(
    values: np.ndarray, order: list[int], rule: str
) -> None:
    shuffled = values[[place for place in order if place < len(values)]]
    assert combined(rule, shuffled) == combined(rule, values)


@laws
@given(clients_of(_ANY, least=1), st.sampled_from(["median", "trimmed-mean", "fairavg", "fedavg"]))
def test_clients_that_are_all_the_server_are_a_fixed_point(values: np.ndarray, rule: str) -> None:
    same = np.broadcast_to(values[:1], values.shape)
    assert combined(rule, same) == values[0].tolist()


@laws
@given(st.integers(1, 9), st.sampled_from(["fedavg", "fairavg", "loss", "fedprox", "scaffold"]))
def test_the_weights_of_the_returned_clients_sum_to_one(count: int, rule: str) -> None:
    """Each client's change is a coordinate of its own, so the mean is the vector of weights."""
    own = updates_of(np.eye(count, dtype=np.float32))
    found = get_aggregator(rule)({NAME: torch.zeros(count)}, own)[NAME]
    assert float(found.double().sum()) == pytest.approx(1.0, abs=1e-6)
    assert bool((found > 0).all())


@laws
@given(clients_of(_NUMBERS))
def test_a_trimmed_mean_that_trims_nothing_is_fairavgs(values: np.ndarray) -> None:
    np.testing.assert_allclose(
        combined("trimmed-mean", values, beta=0.0), combined("fairavg", values), rtol=1e-6, atol=0.1
    )


@laws
@given(clients_of(_NUMBERS), st.data())
def test_a_minority_of_liars_cannot_move_them_out_of_the_honest_hull(
    honest: np.ndarray, data: st.DataObject
) -> None:
    liars = data.draw(st.integers(0, len(honest) - 1), "liars")
    lies = data.draw(arrays(np.float32, (liars, 3), elements=_ANY), "lies")
    values = np.concatenate([honest, lies])
    low, high = honest.min(axis=0), honest.max(axis=0)
    found = {"median": np.float32(combined("median", values))}
    beta = liars / len(values)
    if int(beta * len(values)) >= liars:  # a share can fall just below the number of liars
        found["trimmed"] = np.float32(combined("trimmed-mean", values, beta=beta))
    for name, model in found.items():
        assert (low <= model).all() and (model <= high).all(), name


def test_one_liar_moves_the_mean_as_far_as_it_likes() -> None:
    values = [[0.0], [1.0], [2.0], [4e6]]
    assert combined("fairavg", values)[0] > 9e5 > combined("median", values)[0]


def test_the_cohort_keeps_values_and_not_the_trainers_tensors() -> None:
    start, trained = {NAME: torch.zeros(2)}, {NAME: torch.ones(2)}
    cohort = collector(build("median"), start)
    assert isinstance(cohort, Cohort)
    cohort.add(ClientUpdate(trained, 1, 0.0))
    trained[NAME].fill_(9.0)
    assert cohort.step({})[0][NAME].tolist() == [1.0, 1.0]


@pytest.mark.parametrize("rule", ["median", "trimmed-mean", "median-bb"])
def test_updates_that_cannot_be_used_are_dropped_and_none_keeps_the_model(rule: str) -> None:
    start = {NAME: torch.tensor([3.0])}
    broken = ClientUpdate({NAME: torch.tensor([math.nan])}, 3, 1.0)
    empty = ClientUpdate({NAME: torch.tensor([7.0])}, 0, 1.0)
    usable = ClientUpdate({NAME: torch.tensor([5.0])}, 3, 1.0)
    assert get_aggregator(rule)(start, [broken, empty])[NAME].tolist() == [3.0]
    assert get_aggregator(rule)(start, [broken, usable, empty])[NAME].tolist() == [5.0]


MODEL = {
    "backbone.w": torch.tensor([1.0, 1.0]),
    "backbone.bn.running_var": torch.tensor([2.0]),
    "backbone.bn.num_batches_tracked": torch.tensor(4),
    "head.b": torch.tensor([1.0]),
}


def moved(change: Sequence[float], *, head: float = 0.0) -> ClientUpdate:
    """Return an update that moves the two weights and the running variance."""
    return ClientUpdate(
        {
            "backbone.w": MODEL["backbone.w"] + torch.tensor(change[:2]),
            "backbone.bn.running_var": MODEL["backbone.bn.running_var"] + change[2],
            "backbone.bn.num_batches_tracked": torch.tensor(9),
            "head.b": MODEL["head.b"] + head,
        },
        1,
        1.0,
    )


def test_clipping_by_hand() -> None:
    update, factor = clipped(moved([2.0, 1.0, 9.0], head=2.0), MODEL, 1.5, sent=list(MODEL))
    assert factor == pytest.approx(0.5)
    assert update.state["backbone.w"].tolist() == [2.0, 1.5]
    assert update.state["head.b"].tolist() == [2.0]
    assert update.state["backbone.bn.running_var"].tolist() == [11.0], "no parameter"
    assert int(update.state["backbone.bn.num_batches_tracked"]) == 9
    within = moved([2.0, 1.0, 9.0], head=2.0)
    assert clipped(within, MODEL, 3.0, sent=list(MODEL)) == (within, None), "3 is within 3"


def test_what_is_not_sent_is_neither_counted_nor_clipped() -> None:
    backbone = [name for name in MODEL if name.startswith("backbone.")]
    update, factor = clipped(moved([3.0, 4.0, 1.0], head=99.0), MODEL, 1.0, sent=backbone)
    assert factor == pytest.approx(0.2) and update.state["head.b"].tolist() == [100.0]


@laws
@given(st.lists(st.tuples(*[_NUMBERS] * 4), min_size=1, max_size=6), st.floats(1e-3, 1e3))
def test_clipping_bounds_the_servers_step(changes: list[Sequence[float]], norm: float) -> None:
    updates = [
        clipped(moved(own[:3], head=own[3]), MODEL, norm, sent=list(MODEL))[0] for own in changes
    ]
    after = get_aggregator("fedavg")(MODEL, updates)
    squares = (
        float((after[n] - MODEL[n]).double().square().sum()) for n in ("backbone.w", "head.b")
    )
    assert math.sqrt(sum(squares)) <= norm * (1 + 1e-5) + 1e-5


@pytest.mark.parametrize("broken", [math.nan, math.inf])
def test_an_update_that_is_not_finite_is_dropped_and_not_clipped_into_use(broken: float) -> None:
    update, _ = clipped(moved([broken, 0.0, 0.0]), MODEL, 1.0, sent=list(MODEL))
    dropped = collector(build("fedavg"), MODEL).add(update)
    assert dropped is not None and dropped.startswith("backbone.")


def test_a_change_that_explodes_and_is_finite_is_clipped() -> None:
    huge = float(torch.finfo(torch.float32).max)
    update, factor = clipped(moved([huge, -huge, 0.0]), MODEL, 1.0, sent=list(MODEL))
    assert factor is not None and 0 < factor < 1e-38
    torch.testing.assert_close(update.state["backbone.w"], torch.tensor([1.70711, 0.29289]))
