"""What clients keep: heads under backbone-only transmission, FedU's choice, control variates."""

import math
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from fedssl.aggregators import ClientUpdate
from fedssl.aggregators.base import Visit
from fedssl.federation.memory import build_memory
from fedssl.federation.rounds import run_round, set_up
from fedssl.federation.settings import FederatedSettings
from fedssl.federation.trainer import ClientTask, Trained
from fedssl.files import sha256
from tests.unit.federations import SETTINGS, federated, lay_out, run
from tests.unit.test_resume import run_twice

CPU = torch.device("cpu")
RULES = {
    "fedavg": {},
    "fairavg": {},
    "loss": {},
    "l-dawa": {"warmup_rounds": 0, "scale_buffers": True},
}
SHORT = SETTINGS["federation"] | {"rounds": 3, "fraction": 1.0, "local_epochs": 1}  # type: ignore[operator]


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    return lay_out(tmp_path_factory.mktemp("heads"))


@pytest.mark.parametrize("rule", RULES)
def test_one_round_gives_the_same_backbone_whether_heads_are_sent_or_not(
    inputs: dict[str, str], rule: str
) -> None:
    states = []
    for name in (rule, f"{rule}-bb"):
        aggregator = {"name": name, **RULES[rule]}
        federation, server = set_up(
            federated(SETTINGS | {"federation": SHORT, "aggregator": aggregator}),
            inputs,
            device=CPU,
        )
        states.append(run_round(federation, server, 1)[0].model)
    backbone = [name for name in states[0] if name.startswith("backbone.")]
    assert backbone and all(torch.equal(states[0][n], states[1][n]) for n in backbone)


def test_l_dawa_of_clamped_cosines_is_fairavg(inputs: dict[str, str]) -> None:
    """With every factor at its most, 1, what is left is the plain mean over clients."""
    aggregators = (
        {"name": "fairavg"},
        {"name": "l-dawa", "warmup_rounds": 0, "scale_buffers": True, "clamp_low": 1.0},
    )
    states = []
    for aggregator in aggregators:
        settings = SETTINGS | {"federation": SHORT, "aggregator": aggregator}
        federation, server = set_up(federated(settings), inputs, device=CPU)
        states.append(run_round(federation, server, 1)[0].model)
    for name, tensor in states[0].items():
        torch.testing.assert_close(states[1][name], tensor, rtol=1e-6, atol=1e-7)


def test_after_two_rounds_kept_heads_make_a_difference(
    inputs: dict[str, str], tmp_path: Path
) -> None:
    shared = run(inputs, tmp_path / "shared", federation=SHORT)
    own = run(inputs, tmp_path / "own", federation=SHORT, aggregator={"name": "fedavg-bb"})
    assert sha256(shared) != sha256(own)


@pytest.mark.parametrize(
    "aggregator",
    [
        {"name": "fedavg-bb"},
        {"name": "fedu", "mu": 0.05},
        {"name": "l-dawa", "warmup_rounds": 1, "scale_buffers": True},
        {"name": "fedavgm"},
        {"name": "fedadam"},
        {"name": "scaffold"},
        {"name": "scaffold-bb"},
    ],
    ids=lambda aggregator: aggregator["name"],
)
def test_what_clients_and_server_keep_survives_an_interruption(
    inputs: dict[str, str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    aggregator: dict[str, object],
) -> None:
    settings = {"federation": SHORT, "aggregator": aggregator}
    whole = run(inputs, tmp_path / "whole", **settings)
    resumed = run_twice(inputs, tmp_path / "resumed", monkeypatch, after=2, **settings)
    assert sha256(resumed) == sha256(whole)


def test_l_dawa_averages_as_fedavg_until_its_warm_up_is_over(inputs: dict[str, str]) -> None:
    results = {}
    for name, aggregator in {
        "fedavg": {"name": "fedavg"},
        "warm": {"name": "l-dawa", "warmup_rounds": 1, "scale_buffers": True},
        "cold": {"name": "l-dawa", "warmup_rounds": 0, "scale_buffers": True},
    }.items():
        settings = SETTINGS | {"federation": SHORT, "aggregator": aggregator}
        federation, server = set_up(federated(settings), inputs, device=CPU)
        results[name] = run_round(federation, server, 1)[0].model["backbone.conv1.weight"]
    assert torch.equal(results["warm"], results["fedavg"])
    assert not torch.equal(results["cold"], results["fedavg"])


class Diverged:
    """A trainer whose clients all end in NaN."""

    def train_each(self, tasks: list[ClientTask]) -> Iterator[Trained]:
        for task in tasks:
            state = {name: tensor * math.nan for name, tensor in task.visit.received.items()}
            yield Trained(ClientUpdate(state, 5, math.nan), {"drift": torch.ones(())}, [])


def test_nothing_is_kept_of_a_client_that_diverged(inputs: dict[str, str]) -> None:
    settings = SETTINGS | {"federation": SHORT, "aggregator": {"name": "fedavg-bb"}}
    federation, server = set_up(federated(settings), inputs, device=CPU)
    broken = replace(federation, trainer=Diverged())  # type: ignore[arg-type]
    after, _ = run_round(broken, server, 1)
    assert federation.memory.state() == {}
    assert all(torch.equal(after.model[name], server.model[name]) for name in server.model)


TRAINED = {"backbone.A": torch.ones(1), "head.B": torch.tensor([6.0]), "queue": torch.ones(2)}
SENT = {"sent": ("backbone.", "head."), "kept": ("queue",)}


def settings(aggregator: str, heads: str = "persist") -> FederatedSettings:
    federation = SETTINGS["federation"] | {"client_heads": heads}  # type: ignore[operator]
    return federated(SETTINGS | {"aggregator": {"name": aggregator}, "federation": federation})


def local(memory: object, client: int) -> dict[str, list[float]]:
    return {name: t.tolist() for name, t in memory.local(client).items()}  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("aggregator", "heads", "later"),
    [
        ("fedavg", "persist", {"queue": [1, 1]}),
        ("fedavg-bb", "persist", {"head.B": [6], "queue": [1, 1]}),
        ("fedavg-bb", "reset", {"queue": [1, 1]}),
    ],
)
def test_a_client_keeps_what_is_declared_and_remembers_nothing_before_its_first_round(
    aggregator: str, heads: str, later: dict[str, object]
) -> None:
    memory = build_memory(settings(aggregator, heads), **SENT)  # type: ignore[arg-type]
    assert local(memory, 0) == {} and memory.notes(0) == {}
    memory.keep(0, TRAINED, {"drift": torch.tensor(0.5)})
    again = build_memory(settings(aggregator, heads), **SENT)  # type: ignore[arg-type]
    again.load(memory.state())
    for kept in (memory, again):
        assert local(kept, 0) == later and local(kept, 1) == {}
        assert float(kept.notes(0)["drift"]) == 0.5 and kept.notes(1) == {}


def test_what_belongs_to_a_tensor_travels_with_it() -> None:
    memory = build_memory(settings("scaffold-bb"), **SENT)  # type: ignore[arg-type]
    names = ("backbone.A", "head.B", "control/backbone.A", "control/head.B", "queue")
    sent = memory.travelling({name: torch.zeros(1) for name in names})
    assert list(sent) == ["backbone.A", "control/backbone.A"]


def test_nothing_starts_anew_that_a_method_says_stays_nor_the_other_way_round() -> None:
    memory = build_memory(settings("fedavg"), sent=("backbone.", "head."), kept=())
    memory.keep(0, TRAINED, {})
    assert local(memory, 0) == {} and memory.state() == {}


def test_a_head_starts_from_round_0_where_the_client_has_none_of_its_own(
    inputs: dict[str, str],
) -> None:
    settings = SETTINGS | {"federation": SHORT, "aggregator": {"name": "fedavg-bb"}}
    federation, server = set_up(federated(settings), inputs, device=CPU)
    first, trainer = server.model["head.weight"].clone(), federation.trainer
    server, _ = run_round(federation, server, 1)
    visit = Visit(federation.memory.travelling(server.model), {}, {}, 1.0)
    for local, head in (({}, first), ({"head.weight": first + 1}, first + 1)):
        trainer._load(ClientTask(2, 0, {}, visit, local))  # type: ignore[union-attr]
        assert torch.equal(trainer.method.head.weight, head)  # type: ignore[union-attr]
