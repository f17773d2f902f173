"""Aggregators: the numbers worked by hand, and laws every rule obeys."""

import math
import sys
from itertools import permutations
from types import ModuleType

import pytest
import torch

from fedssl.aggregators import ClientUpdate, get_aggregator, get_rule
from fedssl.aggregators.accumulator import Accumulator, State, Weight
from fedssl.aggregators.fedu import drift
from fedssl.federation.heads import build_heads
from fedssl.federation.rounds import _rule as round_rule

RULES = ("fedavg", "fairavg", "loss", "fedu", "fedavg-bb", "loss-bb")
GLOBAL = {"backbone.A": torch.tensor([1.0, 0.0]), "head.B": torch.tensor([0.0, 2.0])}
FIRST = ClientUpdate(
    {"backbone.A": torch.tensor([3.0, 4.0]), "head.B": torch.tensor([0.0, 1.0])}, 10, 1.0
)
SECOND = ClientUpdate(
    {"backbone.A": torch.tensor([1.0, 0.0]), "head.B": torch.tensor([2.0, 0.0])}, 30, 0.5
)


@pytest.mark.parametrize(
    ("rule", "a", "b"),
    [
        ("fedavg", [1.5, 1.0], [1.5, 0.25]),
        ("fairavg", [2.0, 2.0], [1.0, 0.5]),
        ("loss", [1.7550813, 1.5101627], [1.2449187, 0.3775407]),
        ("fedu", [1.5, 1.0], [1.5, 0.25]),
        ("l-dawa", [1.4, 1.2], [0.0, 0.5]),
        ("l-dawa-bb", [1.4, 1.2], [0.0, 0.5]),
    ],
)
def test_by_hand(rule: str, a: list[float], b: list[float]) -> None:
    state = get_aggregator(rule)(GLOBAL, [FIRST, SECOND])
    assert state["backbone.A"].tolist() == pytest.approx(a)
    assert state["head.B"].tolist() == pytest.approx(b)
    assert state["head.B"].dtype == torch.float32


@pytest.mark.parametrize("rule", (*RULES, "l-dawa"))
def test_the_order_of_clients_does_not_matter(rule: str) -> None:
    third = ClientUpdate({name: t * 0.3 for name, t in FIRST.state.items()}, 7, 2.0)
    results = [
        get_aggregator(rule)(GLOBAL, order) for order in permutations([FIRST, SECOND, third])
    ]
    for state in results[1:]:
        for name in GLOBAL:
            torch.testing.assert_close(state[name], results[0][name])


@pytest.mark.parametrize("rule", (*RULES, "l-dawa"))
def test_clients_that_did_not_move_leave_the_global_state(rule: str) -> None:
    same = [ClientUpdate(GLOBAL, samples, 0.1 * samples) for samples in (1, 5, 9)]
    state = get_aggregator(rule)(GLOBAL, same)
    assert all(torch.equal(state[name], GLOBAL[name]) for name in GLOBAL)


@pytest.mark.parametrize("rule", RULES)  # L-DAWA scales even a single client's tensors
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


def update(value: list[float], *, samples: int = 1, loss: float = 0.0) -> ClientUpdate:
    return ClientUpdate({"backbone.A": torch.tensor(value)}, samples, loss)


def test_loss_stays_finite_where_exp_underflows() -> None:
    state = get_aggregator("loss")(
        {"backbone.A": torch.zeros(1)}, [update([1.0], loss=800.0), update([0.0], loss=801.0)]
    )
    assert float(state["backbone.A"]) == pytest.approx(0.7310586)


def test_l_dawa_keeps_the_sign_and_guards_zero_norms() -> None:
    aggregate = get_aggregator("l-dawa")
    turned = aggregate({"backbone.A": torch.tensor([1.0, 0.0])}, [update([-3.0, -4.0])])
    assert turned["backbone.A"].tolist() == pytest.approx([1.8, 2.4])
    fresh = aggregate({"backbone.A": torch.zeros(2)}, [update([5.0, -2.0])])
    assert fresh["backbone.A"].tolist() == [5.0, -2.0]


def test_l_dawa_leaves_counters_alone_and_can_spare_buffers() -> None:
    names = {
        "backbone.bn.running_mean": torch.tensor([1.0, 0.0]),
        "backbone.bn.num_batches_tracked": torch.tensor(4),
    }
    client = ClientUpdate(
        {
            "backbone.bn.running_mean": torch.tensor([0.0, 1.0]),
            "backbone.bn.num_batches_tracked": torch.tensor(6),
        },
        1,
        0.0,
    )
    scaled = get_aggregator("l-dawa")(names, [client])
    assert scaled["backbone.bn.running_mean"].tolist() == [0.0, 0.0]
    assert int(scaled["backbone.bn.num_batches_tracked"]) == 6
    accumulator = Accumulator(names, get_rule("l-dawa", scale_buffers=False))
    accumulator.add(client)
    assert accumulator.result()["backbone.bn.running_mean"].tolist() == [0.0, 1.0]


def test_l_dawa_clamps_negative_cosines_where_it_is_told() -> None:
    held = {"backbone.w": torch.tensor([2.0, 0.0]), "backbone.v": torch.tensor([1.0, 1.0])}
    against = {"backbone.w": torch.tensor([-4.0, 0.0]), "backbone.v": torch.tensor([1.0, 0.0])}
    for clamp_low, expected in ((None, [4.0, 0.0]), (0.0, [0.0, 0.0]), (0.25, [-1.0, 0.0])):
        accumulator = Accumulator(held, get_rule("l-dawa", clamp_low=clamp_low))
        accumulator.add(ClientUpdate(against, 1, 0.0))
        found = accumulator.result()
        assert found["backbone.w"].tolist() == expected
        torch.testing.assert_close(found["backbone.v"], torch.tensor([0.5**0.5, 0.0]))


def test_a_rule_gets_all_its_settings_and_none_of_the_round_loops(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A rule of one's own, with a setting that nobody here knows."""

    def weigh(_global_state: State, update: ClientUpdate, *, power: float) -> Weight:
        return Weight(mass=update.num_samples**power)

    module = ModuleType("fedssl.aggregators.own_rule")
    vars(module)["weigh"] = weigh
    monkeypatch.setitem(sys.modules, module.__name__, module)
    aggregator = {"name": "own-rule-bb", "power": 2.0, "warmup_rounds": 1}
    masses = [round_rule(aggregator, number)(GLOBAL, SECOND).mass for number in (1, 2)]
    assert masses == [30, 900]
    clamped = {"name": "l-dawa", "clamp_low": 0.5, "scale_buffers": False}
    assert min(round_rule(clamped, 1)(GLOBAL, SECOND).factors.values()) == 0.5
    assert round_rule({"name": "fedu", "mu": 0.4}, 1)(GLOBAL, SECOND).mass == 30


def test_fedu_drift_by_hand_and_its_strict_threshold() -> None:
    before = {"backbone.conv1.weight": torch.zeros(2), "backbone.conv2.weight": torch.ones(2)}
    after = {
        "backbone.conv1.weight": torch.tensor([0.3, 0.4]),
        "backbone.conv2.weight": torch.tensor([1.0, 1.1]),
        "head.weight": torch.tensor([9.0]),
    }
    before["head.weight"] = torch.tensor([1.0])
    assert drift(before, after) == pytest.approx(0.3)
    moved = drift(before, after)
    for mu, own in ((0.4, False), (moved, True)):
        heads = build_heads(settings({"name": "fedu", "mu": mu}), before)
        assert heads.receive(3, before)["head.weight"].tolist() == [1.0], "first time: global"
        heads.keep(3, before, after)
        assert heads.receive(3, before)["head.weight"].tolist() == ([9.0] if own else [1.0])
        assert heads.receive(4, before)["head.weight"].tolist() == [1.0]


def settings(aggregator: dict[str, object], heads: str = "persist") -> dict[str, object]:
    return {"aggregator": aggregator, "federation": {"client_heads": heads}}


def test_backbone_only_clients_that_keep_nothing_start_from_round_0_again() -> None:
    initial = {"backbone.A": torch.zeros(1), "head.B": torch.tensor([5.0])}
    heads = build_heads(settings({"name": "fedavg-bb"}, "reset"), initial)
    heads.keep(0, initial, {"backbone.A": torch.ones(1), "head.B": torch.tensor([6.0])})
    assert heads.receive(0, initial)["head.B"].tolist() == [5.0]
    assert heads.state() == {} and not heads.transmits_head


def test_backbone_only_clients_keep_their_heads_and_start_from_round_0() -> None:
    initial = {"backbone.A": torch.zeros(1), "head.B": torch.tensor([5.0])}
    heads = build_heads(settings({"name": "fedavg-bb"}), initial)
    later = {"backbone.A": torch.ones(1), "head.B": torch.tensor([7.0])}
    assert {n: t.tolist() for n, t in heads.receive(0, later).items()} == {
        "backbone.A": [1.0],
        "head.B": [5.0],
    }
    heads.keep(0, later, {"backbone.A": torch.ones(1), "head.B": torch.tensor([6.0])})
    again = build_heads(settings({"name": "fedavg-bb"}), initial)
    again.load(heads.state())
    for kept in (heads, again):
        assert kept.receive(0, later)["head.B"].tolist() == [6.0]
        assert kept.receive(1, later)["head.B"].tolist() == [5.0]
    assert not heads.transmits_head
