"""Which head a client trains with: laws of backbone-only transmission and of FedU."""

import math
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from fedssl.aggregators import ClientUpdate
from fedssl.federation.client import ClientTask, Trained
from fedssl.federation.rounds import run_round, set_up
from fedssl.files import sha256
from tests.unit.federations import SETTINGS, lay_out, run
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
        federation, state = set_up(
            SETTINGS | {"federation": SHORT, "aggregator": aggregator}, inputs, device=CPU
        )
        states.append(run_round(federation, state, 1)[0])
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
        federation, state = set_up(settings, inputs, device=CPU)
        states.append(run_round(federation, state, 1)[0])
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
    ],
)
def test_what_clients_keep_survives_an_interruption(
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
        federation, state = set_up(settings, inputs, device=CPU)
        results[name] = run_round(federation, state, 1)[0]["backbone.conv1.weight"]
    assert torch.equal(results["warm"], results["fedavg"])
    assert not torch.equal(results["cold"], results["fedavg"])


class Diverged:
    """A trainer whose clients all end in NaN."""

    def train_each(self, tasks: list[ClientTask]) -> Iterator[Trained]:
        for task in tasks:
            state = {name: tensor * math.nan for name, tensor in task.received.items()}
            yield ClientUpdate(state, 5, math.nan), []


def test_nothing_is_kept_of_a_client_that_diverged(inputs: dict[str, str]) -> None:
    settings = SETTINGS | {"federation": SHORT, "aggregator": {"name": "fedavg-bb"}}
    federation, state = set_up(settings, inputs, device=CPU)
    broken = replace(federation, trainer=Diverged())  # type: ignore[arg-type]
    after, _ = run_round(broken, state, 1)
    assert federation.heads.state() == {}
    assert all(torch.equal(after[name], state[name]) for name in state)
