"""Aggregators: the numbers worked by hand, and laws every rule obeys."""

import math
from itertools import permutations

import pytest
import torch

from fedssl.aggregators import ClientUpdate, get_aggregator

RULES = ("fedavg", "fairavg")
GLOBAL = {"backbone.A": torch.tensor([1.0, 0.0]), "head.B": torch.tensor([0.0, 2.0])}
FIRST = ClientUpdate(
    {"backbone.A": torch.tensor([3.0, 4.0]), "head.B": torch.tensor([0.0, 1.0])}, 10, 1.0
)
SECOND = ClientUpdate(
    {"backbone.A": torch.tensor([1.0, 0.0]), "head.B": torch.tensor([2.0, 0.0])}, 30, 0.5
)


@pytest.mark.parametrize(
    ("rule", "a", "b"),
    [("fedavg", [1.5, 1.0], [1.5, 0.25]), ("fairavg", [2.0, 2.0], [1.0, 0.5])],
)
def test_by_hand(rule: str, a: list[float], b: list[float]) -> None:
    state = get_aggregator(rule)(GLOBAL, [FIRST, SECOND])
    assert state["backbone.A"].tolist() == pytest.approx(a)
    assert state["head.B"].tolist() == pytest.approx(b)
    assert state["head.B"].dtype == torch.float32


@pytest.mark.parametrize("rule", RULES)
def test_the_order_of_clients_does_not_matter(rule: str) -> None:
    third = ClientUpdate({name: t * 0.3 for name, t in FIRST.state.items()}, 7, 2.0)
    results = [
        get_aggregator(rule)(GLOBAL, order) for order in permutations([FIRST, SECOND, third])
    ]
    for state in results[1:]:
        for name in GLOBAL:
            torch.testing.assert_close(state[name], results[0][name])


@pytest.mark.parametrize("rule", RULES)
def test_clients_that_did_not_move_leave_the_global_state(rule: str) -> None:
    same = [ClientUpdate(GLOBAL, samples, 0.1 * samples) for samples in (1, 5, 9)]
    state = get_aggregator(rule)(GLOBAL, same)
    assert all(torch.equal(state[name], GLOBAL[name]) for name in GLOBAL)


@pytest.mark.parametrize("rule", RULES)
def test_no_usable_update_returns_the_global_state_itself(rule: str) -> None:
    empty = ClientUpdate(FIRST.state, 0, 1.0)
    broken = ClientUpdate({name: t * math.nan for name, t in FIRST.state.items()}, 3, 1.0)
    lost = ClientUpdate(FIRST.state, 3, math.inf)
    for updates in ([], [empty], [broken, lost]):
        state = get_aggregator(rule)(GLOBAL, updates)
        assert all(torch.equal(state[name], GLOBAL[name]) for name in GLOBAL)
    with_one = get_aggregator(rule)(GLOBAL, [broken, SECOND, empty])
    assert all(torch.equal(with_one[name], SECOND.state[name]) for name in GLOBAL)


def test_integer_buffers_are_rounded_and_updates_stream() -> None:
    counter = {"backbone.n": torch.tensor(10)}
    updates = (ClientUpdate({"backbone.n": torch.tensor(n)}, 1, 0.0) for n in (11, 12, 12))
    state = get_aggregator("fedavg")(counter, updates)
    assert state["backbone.n"].dtype == torch.int64 and int(state["backbone.n"]) == 12
