"""The round loop: laws of alternation, sampling, schedules, and of checkpoints."""

import copy
import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch

from fedssl.aggregators.base import Visit
from fedssl.errors import UserError
from fedssl.federation import participants, rounds
from fedssl.federation.batches import epoch_batches
from fedssl.federation.checkpoint import load_checkpoint, save_checkpoint
from fedssl.federation.schedule import learning_rate
from fedssl.federation.trainer import ClientTask
from fedssl.files import sha256
from fedssl.randomness import stream
from tests.unit.federations import SETTINGS, federated, history, lay_out, run


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    return lay_out(tmp_path_factory.mktemp("federation"))


def test_the_history_counts_samples_and_steps(inputs: dict[str, str], tmp_path: Path) -> None:
    run(inputs, tmp_path)
    rows = history(tmp_path)
    assert {row["round"] for row in rows} == {"1", "2", "3", "4"}
    shards = json.loads(Path(inputs["image_shards"]).read_text())["clients"]
    for row in rows:
        if row["modality"] == "image":
            assert int(row["samples"]) == len(shards[int(row["client"])])
        batches = [min(8, int(row["samples"]) - s) for s in range(0, int(row["samples"]), 8)]
        assert int(row["steps"]) == 2 * sum(size >= 2 for size in batches)
        assert math.isfinite(float(row["loss"]))


def test_the_model_depends_on_seed_and_split(inputs: dict[str, str], tmp_path: Path) -> None:
    base = sha256(run(inputs, tmp_path / "base"))
    images = {name: path for name, path in inputs.items() if name.startswith("image")}
    assert sha256(run(inputs, tmp_path / "seed", seed=1)) != base
    assert sha256(run(images, tmp_path / "split", split="a0-i100-b0")) != base


def test_clients_leave_no_trace_on_each_other(inputs: dict[str, str]) -> None:
    """A client's update is the same whoever trained before it, batch-norm buffers included."""
    device = torch.device("cpu")
    federation, server = rounds.set_up(federated(SETTINGS), inputs, device=device)
    visit = Visit(server.model, {}, {}, 1.0)
    first, second = (ClientTask(1, c, federation.holdings[c], visit, {}) for c in (1, 2))
    _, (after, *_) = federation.trainer.train_each([first, second])
    kept = {name: tensor.clone() for name, tensor in after.state.items()}
    fresh, _ = rounds.set_up(federated(SETTINGS), inputs, device=device)
    [(alone, *_)] = fresh.trainer.train_each([second])
    assert all(torch.equal(kept[name], alone.state[name]) for name in kept)
    moved = "backbone.bn1.running_mean"
    assert not torch.equal(kept[moved], server.model[moved])


SAMPLES = {"audio": np.arange(100, 117), "image": np.arange(40)}


def an_epoch(order: str, samples: dict[str, np.ndarray] = SAMPLES) -> list[tuple[str, np.ndarray]]:
    return list(epoch_batches(samples, batch_size=8, order=order, rng=stream(0, "test")))


@pytest.mark.parametrize(
    ("order", "expected"),
    [
        ("alternate", "iaiaiii"),
        ("image-first", "iiiiiaa"),
        ("audio-first", "aaiiiii"),
        ("shuffle", None),
    ],
)
def test_a_batch_holds_one_modality_in_the_order_asked_for(order: str, expected: str) -> None:
    epoch = an_epoch(order)
    kinds = "".join(modality[0] for modality, _ in epoch)
    assert kinds == expected or (expected is None and sorted(kinds) == sorted("iiiiiaa"))
    images = np.concatenate([batch for modality, batch in epoch if modality == "image"])
    audio = np.concatenate([batch for modality, batch in epoch if modality == "audio"])
    assert sorted(images.tolist()) == list(range(40))
    assert len(set(audio.tolist())) == 16, "the last audio batch is a single sample"
    assert all((batch >= 100).all() == (kind == "audio") for kind, batch in epoch)


def test_orders_differ_in_nothing_but_the_order() -> None:
    batches = [
        sorted(tuple(batch.tolist()) for _, batch in an_epoch(order))
        for order in ("alternate", "image-first", "audio-first", "shuffle")
    ]
    assert all(found == batches[0] for found in batches)


@pytest.mark.parametrize("order", ["alternate", "image-first", "audio-first", "shuffle"])
def test_a_client_with_one_modality_has_batches_of_it_alone(order: str) -> None:
    epoch = an_epoch(order, {"audio": SAMPLES["audio"]})
    assert [modality for modality, _ in epoch] == ["audio", "audio"]


@pytest.mark.parametrize(
    ("schedule", "epochs", "expected"),
    [
        ("cosine-local", 5, [0.03, 0.0271353, 0.0196353, 0.0103647, 0.0028647]),
        ("cosine-local", 1, [0.03]),
        ("constant", 3, [0.03, 0.03, 0.03]),
        ("cosine-global", 2, [0.015, 0.015]),
    ],
)
def test_learning_rate_by_hand(schedule: str, epochs: int, expected: list[float]) -> None:
    settings = copy.deepcopy(SETTINGS)
    settings["optimiser"]["schedule"] = schedule  # type: ignore[index]
    settings["federation"] |= {"local_epochs": epochs, "rounds": 100}  # type: ignore[operator]
    rates = [
        learning_rate(federated(settings), round_number=51, epoch=epoch) for epoch in range(epochs)
    ]
    assert rates == pytest.approx(expected, abs=1e-7)


def test_sampling_is_without_replacement_among_clients_with_data() -> None:
    holdings = [{"image": np.arange(4)} if client % 3 else {} for client in range(30)]
    own = SETTINGS["federation"] | {"clients": 30, "fraction": 0.2}  # type: ignore[operator]
    settings = federated(SETTINGS | {"federation": own})
    chosen = [participants.sample_clients(holdings, settings, round_number=r) for r in range(1, 60)]
    assert all(len(set(clients)) == 6 and clients == sorted(clients) for clients in chosen)
    assert {client for clients in chosen for client in clients} == set(range(30)) - set(
        range(0, 30, 3)
    )
    assert len({tuple(clients) for clients in chosen}) > 50
    assert chosen[4] == participants.sample_clients(holdings, settings, round_number=5)


def test_no_client_with_samples_is_a_clear_error(inputs: dict[str, str], tmp_path: Path) -> None:
    empty = json.loads(Path(inputs["image_shards"]).read_text())
    assert any(len(client) for client in empty["clients"])
    with pytest.raises(UserError, match=r"a100-i0-b0 holds 2 samples.*larger alpha"):
        settings = federated(SETTINGS | {"split": "a100-i0-b0"})
        participants.client_holdings(settings, {"audio": [np.zeros(0, int)] * 4})


def test_a_damaged_checkpoint_costs_one_round_only(tmp_path: Path) -> None:
    for number in (1, 2, 3):
        parts = {"model": {"w": torch.full((3,), float(number))}, "server": {}}
        save_checkpoint(tmp_path, number, parts, [{"round": 1}])
    assert len(list(tmp_path.glob("*.safetensors"))) == 2, "the one before is kept, no more"
    newest = tmp_path / "round000003.safetensors"
    damaged = bytearray(newest.read_bytes())
    damaged[-1] ^= 1
    newest.write_bytes(damaged)
    loaded = load_checkpoint(tmp_path)
    assert loaded is not None and loaded[0] == 2
    assert loaded[1].keys() == {"model"} and loaded[1]["model"]["w"].tolist() == [2.0] * 3
    (tmp_path / "round000002.json").write_text("{")
    assert load_checkpoint(tmp_path) is None
