"""Training that diverges must fail, and every dropped update must be counted."""

import copy
import json
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import torch

from fedssl.errors import UserError
from fedssl.federation import rounds
from fedssl.federation.checkpoint import load_checkpoint, read_training
from fedssl.federation.client import LocalTrainer
from fedssl.federation.distributed import WorkerPool
from fedssl.federation.divergence import (
    Diverged,
    backbone_change,
    check_round,
    first_fault,
    suspects,
)
from fedssl.federation.history import num_updates
from fedssl.federation.trainer import ClientTask, Trained
from fedssl.methods.simclr import SimCLR
from fedssl.paper.flags import flags_of
from tests.unit.federations import SETTINGS, federated, history, lay_out, run


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    return lay_out(tmp_path_factory.mktemp("divergence"))


def changed(section: str, **values: object) -> dict[str, Any]:
    return {section: copy.deepcopy(SETTINGS)[section] | values}  # type: ignore[operator]


@pytest.mark.parametrize("threads", [1, 2])
def test_a_round_without_a_usable_update_ends_the_job(
    inputs: dict[str, str], tmp_path: Path, threads: int
) -> None:
    said = (
        r"no update of round 1 can be used: clients \d, \d diverged; the first fault was the loss "
        r"of step \d+ of \d+ \((image|audio)\) is (nan|inf) \(round 1, client \d\).*"
        r"optimiser\.lr = 1e\+30"
    )
    with pytest.raises(UserError, match=said):
        run(inputs, tmp_path, threads=threads, **changed("optimiser", lr=1e30))
    assert not (tmp_path / "model.safetensors").exists()
    assert not (tmp_path / "rounds.csv").exists()


@pytest.mark.parametrize(
    ("changes", "blamed"),
    [
        (changed("method", temperature=1e-39), "temperature = 1e-39 (default 0.5)"),
        (
            {"method": {"name": "barlow-twins", "off_diagonal_weight": 1e38}},
            "off_diagonal_weight = 1e+38 (default 0.005)",
        ),
        ({"aggregator": {"name": "fedadam", "server_lr": 1e38}}, "server_lr = 1e+38"),
        ({**changed("optimiser", lr=1e30), "precision": "bf16"}, "precision = bf16"),
    ],
)
def test_whatever_makes_it_diverge_is_named(
    inputs: dict[str, str], tmp_path: Path, changes: dict[str, Any], blamed: str
) -> None:
    with pytest.raises(UserError) as error:
        run(inputs, tmp_path, **changes)
    assert blamed in str(error.value)


@dataclass(frozen=True)
class Spoiling:
    """A trainer after which some clients' models hold an infinity in some rounds."""

    trainer: LocalTrainer | WorkerPool
    spoiled: set[tuple[int, int]]

    def train_each(self, tasks: Iterable[ClientTask]) -> Iterator[Trained]:
        tasks = list(tasks)
        for task, trained in zip(tasks, self.trainer.train_each(tasks), strict=True):
            if (task.round, task.client) in self.spoiled:
                trained.update.state["backbone.conv1.weight"][0, 0, 0, 0] = math.inf
            yield trained


def spoil(monkeypatch: pytest.MonkeyPatch, spoiled: set[tuple[int, int]]) -> None:
    set_up = rounds.set_up

    def spoiling(*args: Any, **kwargs: Any) -> Any:
        federation, server = set_up(*args, **kwargs)
        return replace(federation, trainer=Spoiling(federation.trainer, spoiled)), server

    monkeypatch.setattr(rounds, "set_up", spoiling)


def pretrain(inputs: dict[str, str], folder: Path, **changes: object) -> dict[str, Any]:
    return rounds.pretrain(
        copy.deepcopy(SETTINGS) | changes,
        inputs=inputs,
        clients=1,
        checkpoints=str(folder / "state"),
        model=str(folder / "model.safetensors"),
        rounds=str(folder / "rounds.csv"),
        milestones=str(folder / "milestones"),
    )


SMALL = changed("federation", fraction=1.0, rounds=4, local_epochs=1)


def test_a_dropped_update_is_counted_and_its_bytes_are_not(
    inputs: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = pretrain(inputs, tmp_path / "whole", **SMALL)
    spoil(monkeypatch, {(2, 1)})
    facts = pretrain(inputs, tmp_path / "spoiled", **SMALL)
    assert (whole["updates"], whole["dropped_updates"]) == (16, 0)
    assert (facts["updates"], facts["dropped_updates"]) == (16, 1)
    assert facts["bytes_down"] == whole["bytes_down"]
    assert facts["bytes_up"] == whole["bytes_up"] * 15 // 16
    dropped = [row for row in history(tmp_path / "spoiled") if row["dropped"]]
    assert {(row["round"], row["client"]) for row in dropped} == {("2", "1")}
    assert all("backbone.conv1.weight is not finite" in row["dropped"] for row in dropped)


def test_too_many_dropped_updates_end_the_job_and_keep_the_last_good_round(
    inputs: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spoil(monkeypatch, {(2, 1), (3, 1)})
    for _ in range(2):  # the second one goes on after round 2, as a job that is retried
        with pytest.raises(UserError, match=r"by round 3, 2 of the training's 16 .* than 10%"):
            pretrain(inputs, tmp_path, **SMALL)
        [folder] = (tmp_path / "state").iterdir()
        assert (kept := load_checkpoint(folder)) is not None and kept[0] == 2


def row(client: int, dropped: str | None, *, round_number: int = 1) -> dict[str, Any]:
    return {"round": round_number, "client": client, "modality": "image", "dropped": dropped}


def test_the_limit_is_a_tenth_of_all_updates() -> None:
    usable = [row(client, None) for client in range(8)]
    lost = [row(8, "its mean loss is nan"), row(9, "its mean loss is nan")]
    check_round(usable + lost, 1, {}, rounds=2)  # 2 of 20
    with pytest.raises(Diverged, match=r"clients 7, 8, 9 diverged.*round 1, client 7"):
        check_round([*usable[:7], row(7, "x"), *lost], 1, {}, rounds=2)


@pytest.mark.parametrize("broken", [[1.0, math.nan], [math.inf, 1.0], [math.inf, -math.inf]])
def test_a_broken_global_model_ends_the_job(broken: list[float]) -> None:
    model = {"a": torch.ones(2), "b": torch.tensor(broken)}
    with pytest.raises(Diverged, match="b of the global model is not finite after round 1"):
        check_round([row(0, None)], 1, model, rounds=1)


def test_large_finite_values_do_not_end_the_job() -> None:
    largest = torch.finfo(torch.float32).max
    check_round([row(0, None)], 1, {"a": torch.full((2,), largest)}, rounds=1)


def test_a_client_with_two_modalities_sends_one_update() -> None:
    rows = [row(0, "x"), {**row(0, "x"), "modality": "audio"}, row(1, None)]
    assert (num_updates(rows), num_updates(rows, dropped=True)) == (2, 1)
    # Histories of earlier versions have no such column.
    assert num_updates([{"round": 1, "client": 0}], dropped=True) == 0


def test_the_first_fault_is_the_earliest_step() -> None:
    losses = [("image", 1.0), ("audio", math.inf), ("image", math.nan)]
    steps = [(modality, torch.tensor(loss)) for modality, loss in losses]
    assert first_fault(steps) == "the loss of step 2 of 3 (audio) is inf"
    assert first_fault(steps[:1]) is None
    assert first_fault([]) is None


def test_settings_at_their_defaults_are_no_suspects() -> None:
    settings = federated(SETTINGS)
    assert suspects(settings.optimiser, "fp32", SimCLR.Settings()) == "optimiser.lr = 0.03"


def test_backbone_change_by_hand() -> None:
    start = {"backbone.w": torch.tensor([3.0, 4.0]), "head.w": torch.ones(1)}
    end = {"backbone.w": torch.tensor([3.0, 5.0]), "head.w": torch.zeros(1)}
    assert backbone_change(start, end) == pytest.approx(0.2)
    assert backbone_change(start, {**start, "head.w": torch.zeros(1)}) == 0.0
    buffers = {"backbone.bn.running_mean": torch.ones(1), "backbone.bn.count": torch.ones(1).int()}
    moved = {name: tensor + 1 for name, tensor in buffers.items()}
    assert backbone_change(start | buffers, start | moved) == 0.0


def test_the_shards_of_this_federation_have_no_empty_client(inputs: dict[str, str]) -> None:
    """The counts above need every client to train in every round."""
    for modality in ("image", "audio"):
        clients = json.loads(Path(inputs[f"{modality}_shards"]).read_text())["clients"]
        assert all(len(held) >= 2 for held in clients)


def test_a_model_file_holds_the_facts_of_its_training(
    inputs: dict[str, str], tmp_path: Path
) -> None:
    facts = pretrain(inputs, tmp_path, **SMALL)
    held = read_training(tmp_path / "model.safetensors")
    assert held == {name: facts[name] for name in ("updates", "dropped_updates", "backbone_change")}
    assert 0.0 < held["backbone_change"] < 10.0
    assert read_training(tmp_path / "milestones/round0.safetensors") == {}


def test_a_learning_rate_too_small_to_move_a_weight_is_noticed(
    inputs: dict[str, str], tmp_path: Path
) -> None:
    optimiser = changed("optimiser", lr=1e-30, weight_decay=0.0)
    facts = pretrain(inputs, tmp_path, **SMALL, **optimiser)
    assert flags_of(facts) == ["unmoved"]
    assert flags_of({"backbone_change": 1e-3}) == []
