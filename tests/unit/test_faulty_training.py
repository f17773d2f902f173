"""Trainings with faults: the same bits whenever and wherever they run, and what attacks do."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from fedssl.errors import UserError
from fedssl.federation.checkpoint import load_state
from fedssl.federation.one_round import run_round
from fedssl.federation.rounds import set_up
from fedssl.files import sha256
from fedssl.paper.products.communication import communication
from tests.unit.federations import SETTINGS, federated, history, lay_out, run
from tests.unit.test_divergence import pretrain
from tests.unit.test_resume import run_twice

CPU = torch.device("cpu")
SHORT = {**SETTINGS["federation"], "fraction": 1.0, "rounds": 3, "local_epochs": 1}  # type: ignore[dict-item]
ALL = {"dropout": 0.3, "attack": "gaussian", "malicious": 0.25, "attack_scale": 0.01}
ALL |= {"deadline": 35.0}


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    return lay_out(tmp_path_factory.mktemp("faults"))


def declared(faults: dict[str, Any] | None, *, rule: str = "fedavg", **further: Any) -> Any:
    federation = {**SHORT, **further} | ({} if faults is None else {"faults": faults})
    return {"federation": federation, "aggregator": {"name": rule}}


def test_the_bits_do_not_depend_on_interruptions_or_on_the_number_of_processes(
    inputs: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = declared(ALL, rule="median", clipping_norm=0.5)
    whole = run(inputs, tmp_path / "whole", **settings)
    resumed = run_twice(inputs, tmp_path / "resumed", monkeypatch, after=2, **settings)
    together = run(inputs, tmp_path / "together", clients=2, **settings)
    assert sha256(whole) == sha256(resumed) == sha256(together)
    rows = history(tmp_path / "whole")
    assert rows == history(tmp_path / "resumed") == history(tmp_path / "together")
    assert {row["absent"] for row in rows} == {"", "dropout", "straggler"}
    assert all(row["absent"] for row in rows if row["round"] == "3"), "an empty round as well"
    assert {row["attack"] for row in rows} == {"", "gaussian"}
    assert any(row["clipped"] for row in rows)


def test_the_order_of_a_models_tensors_changes_no_bit(inputs: dict[str, str]) -> None:
    """A model that was read from a checkpoint has its tensors in an order of chance."""
    settings = declared({"attack": "gaussian", "malicious": 0.5}, rule="fedu", clipping_norm=0.5)
    models, notes = [], []
    for order in (list, reversed):
        federation, server = set_up(federated(SETTINGS | settings), inputs, device=CPU)
        model = dict(order(list(server.model.items())))  # type: ignore[operator]
        after, rows = run_round(federation, replace(server, model=model), 1)
        assert any(row["attack"] for row in rows) and any(row["clipped"] for row in rows)
        models.append(after.model)
        notes.append(federation.memory.state())
    for one, other in (models, notes):
        assert one.keys() == other.keys()
        assert [name for name in one if not torch.equal(one[name], other[name])] == []


def test_no_faults_are_the_bits_of_a_federation_without_them(
    inputs: dict[str, str], tmp_path: Path
) -> None:
    plain = run(inputs, tmp_path / "plain", **declared(None, rounds=2))
    none = declared({"dropout": 0.0, "deadline": 1e9}, rounds=2, clipping_norm=1e9)
    assert sha256(run(inputs, tmp_path / "none", **none)) == sha256(plain)
    some = declared({"dropout": 0.5}, rounds=2)
    assert sha256(run(inputs, tmp_path / "some", **some)) != sha256(plain)


def test_a_round_from_which_all_drop_out_keeps_model_server_state_and_memory(
    inputs: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    settings = declared({"deadline": 1e-9}, rule="fedavgm-bb")
    federation, server = set_up(federated(SETTINGS | settings), inputs, device=CPU)
    after, rows = run_round(federation, server, 1)
    assert all(torch.equal(after.model[name], server.model[name]) for name in server.model)
    assert after.state.keys() == server.state.keys() and federation.memory.state() == {}
    assert {row["absent"] for row in rows} == {"straggler"} and len(rows) == 8
    assert "round 1: no selected client returned; the model stays" in caplog.text
    assert after.bytes_up == 0 < after.bytes_down


def test_a_training_to_which_nobody_returns_is_an_error_and_no_result(
    inputs: dict[str, str], tmp_path: Path
) -> None:
    with pytest.raises(UserError, match=r"no selected client returned .* federation\.faults"):
        run(inputs, tmp_path, **declared({"deadline": 1e-9}, rounds=2))
    assert not (tmp_path / "model.safetensors").exists()


def test_scaffolds_server_control_stays_the_mean_of_the_clients(inputs: dict[str, str]) -> None:
    """Shards differ in size, so the mean is weighted here as the reports are."""
    settings = declared({"dropout": 0.5}, rule="scaffold")
    federation, server = set_up(federated(SETTINGS | settings), inputs, device=CPU)
    server, rows = run_round(federation, server, 1)
    returned = {row["client"]: 0 for row in rows if not row["absent"]}
    assert 0 < len(returned) < 4
    for row in rows:
        if not row["absent"]:
            returned[row["client"]] += row["samples"]
    key = "control/backbone.conv1.weight"
    total = sum(returned.values())
    notes = {client: federation.memory.notes(client)[key] for client in returned}
    mean = sum(notes[client] * samples / total for client, samples in returned.items())
    torch.testing.assert_close(server.state[key], mean * len(returned) / 4, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("rule", ["fedavg", "median", "trimmed-mean"])
def test_robust_rules_follow_the_honest_clients_and_a_mean_the_attack(
    inputs: dict[str, str], rule: str
) -> None:
    models = {}
    for name, faults in {
        "honest": None,
        "attacked": {"attack": "scaling", "malicious": 0.25, "attack_scale": 1e4},
    }.items():
        settings = SETTINGS | declared(faults, rule=rule)
        settings["aggregator"] |= {"beta": 0.25} if rule == "trimmed-mean" else {}
        federation, server = set_up(federated(settings), inputs, device=CPU)
        models[name] = run_round(federation, server, 1)[0].model["backbone.conv1.weight"]
    moved = float((models["attacked"] - models["honest"]).abs().max())
    assert moved > 100 if rule == "fedavg" else moved < 0.2, "honest clients move by 0.15"


def test_attacked_updates_are_what_they_are_called(inputs: dict[str, str]) -> None:
    changes = {}
    for attack in (None, "sign-flip", "scaling", "gaussian"):
        faults = {"attack": attack, "malicious": 1.0, "attack_scale": 2.0} if attack else {}
        federation, server = set_up(
            federated(SETTINGS | declared(faults, rule="fairavg")), inputs, device=CPU
        )
        after, _ = run_round(federation, server, 1)
        changes[attack] = {n: after.model[n].double() - t.double() for n, t in server.model.items()}
    name, buffer = "backbone.conv1.weight", "backbone.bn1.running_var"
    honest = changes[None]
    torch.testing.assert_close(changes["sign-flip"][name], -2 * honest[name], rtol=1e-3, atol=1e-6)
    torch.testing.assert_close(changes["scaling"][name], 2 * honest[name], rtol=1e-3, atol=1e-6)
    # The mean of four draws of standard deviation 2.
    assert float(changes["gaussian"][name].std()) == pytest.approx(1.0, rel=0.15)
    assert all(torch.equal(own[buffer], honest[buffer]) for own in changes.values())


def test_an_attack_that_overflows_is_dropped_and_counted_but_does_not_end_the_training(
    inputs: dict[str, str], tmp_path: Path
) -> None:
    faults = {"attack": "scaling", "malicious": 0.5, "attack_scale": 1e45}
    facts = pretrain(inputs, tmp_path, **declared(faults, rounds=1, kept_rounds=[]))
    assert (facts["updates"], facts["dropped_updates"]) == (4, 2)
    state = load_state(tmp_path / "model.safetensors")
    assert all(bool(t.isfinite().all()) for t in state.values())
    spec = {"study": "fassl", "title": "", "scale": "scaled", "scale_note": ""}
    axes = {"method": "simclr", "arch": "resnet18", "split": "a0-i0-b100", "variant": "base"}
    (tmp_path / "provenance.json").write_text(json.dumps(facts))
    files = {name: str(tmp_path / name) for name in ("provenance.json", "rounds.csv")}
    seeds = [{"provenance": files["provenance.json"], "rounds": files["rounds.csv"]}]
    cell = {**axes, "aggregator": "fedavg", "label": "", "seeds": seeds}
    (row,) = communication({**spec, "cells": [cell]}).to_dict("records")
    assert row["bytes_up"] * 2 == row["bytes_down"]
    assert row["bytes_up_per_client_round"] == row["bytes_down_per_client_round"]
