"""Aggregators: the numbers worked by hand, and laws every rule obeys."""

import ast
import math
import subprocess
import sys
from dataclasses import asdict, dataclass
from itertools import permutations
from pathlib import Path
from types import ModuleType

import pytest
import torch
import yaml

from fedssl.aggregators import (
    ClientUpdate,
    build,
    get_aggregator,
    module_name,
    names,
    rule_class,
)
from fedssl.aggregators.accumulator import Accumulator, State
from fedssl.aggregators.base import Aggregator, Visit, Weight
from fedssl.aggregators.fedavg import FedAvg
from fedssl.aggregators.fedu import drift
from fedssl.grid.transmission import declared_settings

ROOT = Path(__file__).parents[2]
# From a fresh server state these return the weighted mean itself.
RULES = ("fedavg", "fairavg", "loss", "fedu", "fedavg-bb", "loss-bb", "fedavgm", "fedprox-bb")
ALL_RULES = (*RULES, "fedema", "l-dawa", "fedadam", "scaffold", "median", "trimmed-mean-bb")
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


@pytest.mark.parametrize("rule", ALL_RULES)
def test_the_order_of_clients_does_not_matter(rule: str) -> None:
    third = ClientUpdate({name: t * 0.3 for name, t in FIRST.state.items()}, 7, 2.0)
    results = [
        get_aggregator(rule)(GLOBAL, order) for order in permutations([FIRST, SECOND, third])
    ]
    for state in results[1:]:
        for name in GLOBAL:
            torch.testing.assert_close(state[name], results[0][name])


@pytest.mark.parametrize("rule", ALL_RULES)
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


def test_the_average_can_be_asked_for_twice() -> None:
    accumulator = Accumulator(build("fedavg"), GLOBAL)
    for each in (FIRST, SECOND):
        accumulator.add(each)
    first, second = accumulator.average(), accumulator.average()
    assert all(torch.equal(first[name], second[name]) for name in GLOBAL)


def test_l_dawa_keeps_the_sign_and_guards_zero_norms() -> None:
    aggregate = get_aggregator("l-dawa")
    turned = aggregate({"backbone.A": torch.tensor([1.0, 0.0])}, [update([-3.0, -4.0])])
    assert turned["backbone.A"].tolist() == pytest.approx([1.8, 2.4])
    fresh = aggregate({"backbone.A": torch.zeros(2)}, [update([5.0, -2.0])])
    assert fresh["backbone.A"].tolist() == [5.0, -2.0]


def test_l_dawa_leaves_counters_alone_and_can_spare_buffers() -> None:
    held = {
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
    scaled = get_aggregator("l-dawa")(held, [client])
    assert scaled["backbone.bn.running_mean"].tolist() == [0.0, 0.0]
    assert int(scaled["backbone.bn.num_batches_tracked"]) == 6
    accumulator = Accumulator(build("l-dawa", scale_buffers=False), held)
    accumulator.add(client)
    assert accumulator.average()["backbone.bn.running_mean"].tolist() == [0.0, 1.0]


def test_l_dawa_clamps_negative_cosines_where_it_is_told() -> None:
    held = {"backbone.w": torch.tensor([2.0, 0.0]), "backbone.v": torch.tensor([1.0, 1.0])}
    against = {"backbone.w": torch.tensor([-4.0, 0.0]), "backbone.v": torch.tensor([1.0, 0.0])}
    for clamp_low, expected in ((None, [4.0, 0.0]), (0.0, [0.0, 0.0]), (0.25, [-1.0, 0.0])):
        accumulator = Accumulator(build("l-dawa", clamp_low=clamp_low), held)
        accumulator.add(ClientUpdate(against, 1, 0.0))
        found = accumulator.average()
        assert found["backbone.w"].tolist() == expected
        torch.testing.assert_close(found["backbone.v"], torch.tensor([0.5**0.5, 0.0]))


def test_a_rule_of_ones_own_is_found_by_its_module_and_gets_its_settings(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """One with a setting that nobody here knows, and without a word of its `-bb` form."""

    @dataclass(frozen=True)
    class OwnRule(Aggregator):
        power: float = 1.0

        def weight(self, global_state: State, update: ClientUpdate) -> Weight:
            return Weight(mass=update.num_samples**self.power)

    module = ModuleType("fedssl.aggregators.own_rule")
    OwnRule.__module__ = module.__name__
    vars(module).update(OwnRule=OwnRule, Aggregator=Aggregator)
    monkeypatch.setitem(sys.modules, module.__name__, module)
    rule = build("own-rule-bb", power=2.0)
    assert rule.weight(GLOBAL, SECOND).mass == 900 and rule.in_round(1) is rule
    assert rule_class("own-rule").has_backbone_only


def test_l_dawas_warm_up_is_its_own_and_a_rounds_matter() -> None:
    rule = build("l-dawa", warmup_rounds=2, clamp_low=0.5)
    assert [rule.in_round(number) for number in (1, 2, 3)] == [FedAvg(), FedAvg(), rule]
    assert min(rule.weight(GLOBAL, SECOND).factors.values()) == 0.5


def test_every_module_has_one_rule_and_most_have_a_backbone_only_form() -> None:
    found = names()
    rules = [name for name in found if not name.endswith("-bb")]
    whole = {name for name in rules if f"{name}-bb" not in found}
    assert whole == {"fedu", "fedema", "orchestra", "centralised"}
    assert {"fedavg", "l-dawa", "fedavgm", "fedadam", "fedprox", "scaffold"} <= set(rules)
    assert all(module_name(name) == rule_class(name).__module__ for name in found)


def test_the_shipped_settings_are_the_declared_ones() -> None:
    shipped = yaml.safe_load((ROOT / "config/experiments.yaml").read_text())["aggregators"]
    assert sorted(shipped) == sorted({name.removesuffix("-bb") for name in names()})
    assert {name: asdict(build(name)) for name in shipped} == shipped


def test_a_backbone_only_form_has_the_settings_of_its_rule_unless_it_gives_others() -> None:
    declared = {"l-dawa": {"warmup_rounds": 3, "clamp_low": None}}
    assert declared_settings(declared, "l-dawa-bb") == declared["l-dawa"]
    declared["l-dawa-bb"] = {"warmup_rounds": 1}
    assert declared_settings(declared, "l-dawa-bb") == {"warmup_rounds": 1, "clamp_low": None}
    assert declared_settings(declared, "l-dawa")["warmup_rounds"] == 3


def test_reading_what_rules_declare_imports_no_torch() -> None:
    program = "import sys; from fedssl.aggregators import names; names(); print(*sys.modules)"
    loaded = subprocess.check_output([sys.executable, "-c", program], text=True).split()
    assert "fedssl.aggregators.scaffold" in loaded and "torch" not in loaded


def test_no_code_elsewhere_names_a_rule() -> None:
    """Print has its spellings; `loss` and `median` are words, and `centralised` is no rule.

    Orchestra's clients name their server.
    """
    rules = set(names()) - {"loss", "loss-bb", "median", "centralised", "orchestra"}
    outside = [
        path
        for path in (ROOT / "src/fedssl").rglob("*.py")
        if path.parts[-2] != "aggregators" and "paper" not in path.parts
    ]
    literals = {
        (path.name, node.value)
        for path in outside
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    assert len(outside) > 100 and not [found for found in literals if found[1] in rules]
    suffixes = {name for name, value in literals if value == "-bb"}
    assert suffixes == {"transmission.py"}


def test_fedu_drift_by_hand_and_its_strict_threshold() -> None:
    before = {"backbone.conv1.weight": torch.zeros(2), "backbone.conv2.weight": torch.ones(2)}
    after = {
        "backbone.conv1.weight": torch.tensor([0.3, 0.4]),
        "backbone.conv2.weight": torch.tensor([1.0, 1.1]),
        "head.weight": torch.tensor([9.0]),
    }
    before["head.weight"] = torch.tensor([1.0])
    moved = drift(before, after)
    assert float(moved) == pytest.approx(0.3)
    rng = torch.Generator().manual_seed(0)
    many = {f"backbone.conv{n}.weight": torch.randn(9, generator=rng) for n in range(99)}
    start = {name: torch.zeros(9) for name in many}
    assert drift(start, many).equal(drift(dict(reversed(start.items())), many)), "in any order"
    for mu, own in ((0.4, False), (float(moved), True)):
        rule = build("fedu", mu=mu)
        assert rule.start(before, {}) == before, "first time: global"
        report, kept = rule.finish(Visit(before, {}, {}, 1.0), after, reach=1.0)
        start = rule.start(before, kept)
        assert start["head.weight"].tolist() == ([9.0] if own else [1.0])
        assert start.keys() == before.keys() and report == {}
