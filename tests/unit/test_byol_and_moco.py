"""BYOL and MoCo v2: lightly's losses, averages and queues by hand, and what travels."""

from pathlib import Path
from typing import Any

import pytest
import torch
from lightly.loss import NegativeCosineSimilarity, NTXentLoss
from safetensors.torch import load_file
from torch import nn
from torch.nn.functional import normalize

from fedssl import methods
from fedssl.aggregators.base import Visit
from fedssl.backbones.encoder import initialise
from fedssl.evaluation.job_files import read_encoder
from fedssl.evaluation.settings import JobSettings
from fedssl.federation.checkpoint import load_checkpoint
from fedssl.federation.rounds import run_round, set_up
from fedssl.federation.trainer import ClientTask
from fedssl.files import sha256
from fedssl.methods.byol import BYOL, byol_loss, momentum_at
from fedssl.methods.moco import MoCo, Pairs, info_nce
from fedssl.methods.momentum import MomentumEncoder
from fedssl.methods.newest import Newest
from fedssl.typed import typed
from tests.unit.federations import SETTINGS, federated, lay_out, run

METHODS = {
    "byol": {"name": "byol", "predictor_hidden": 32, "momentum": 0.9},
    "moco": {"name": "moco", "temperature": 0.2, "momentum": 0.9, "queue": 16},
}
ARCHS = {
    "resnet18": {"arch": "resnet18", "width": 8, "embedding_dim": 16},
    "vit": {
        **{"arch": "vit", "image_size": 32, "patch": 8, "depth": 2, "heads": 4, "dim": 32},
        "embedding_dim": 16,
    },
}
SHORT = SETTINGS["federation"] | {"rounds": 2, "fraction": 0.75, "local_epochs": 1}  # type: ignore[operator]


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    return lay_out(tmp_path_factory.mktemp("momentum"))


def build(name: str, arch: str = "resnet18", seed: int = 0, **changes: object) -> Any:
    own = {key: value for key, value in METHODS[name].items() if key != "name"} | changes
    return methods.build(name, initialise(seed, **ARCHS[arch]), **own)


def rows(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def a_batch(name: str, count: int = 6) -> Any:
    views = rows(2, count, 3, 32, 32)
    return views if name == "byol" else Pairs(views, "image")


def test_byols_loss_is_lightlys() -> None:
    predicted, target = rows(17, 8), rows(17, 8, seed=1)
    theirs = 2 + 2 * NegativeCosineSimilarity()(predicted, target)
    torch.testing.assert_close(byol_loss(predicted, target), theirs)
    torch.testing.assert_close(byol_loss(3 * predicted, target / 2), theirs)


def test_byols_step_is_symmetric_each_view_predicts_the_other() -> None:
    method: BYOL = build("byol")
    views = a_batch("byol")
    first, second = method.predictor(method(views.flatten(0, 1))).chunk(2)
    one, two = method.target(views.flatten(0, 1)).chunk(2)
    cosine = NegativeCosineSimilarity()
    theirs = 4 + 2 * (cosine(first, two) + cosine(second, one))
    torch.testing.assert_close(method.training_step(views), theirs)
    torch.testing.assert_close(method.training_step(views.flip(0)), theirs)


@pytest.mark.parametrize(
    ("progress", "momentum"), [(0.0, 0.96), (0.5, 0.98), (1.0, 1.0), (1 / 3, 0.97)]
)
def test_byols_momentum_rises_by_a_cosine(progress: float, momentum: float) -> None:
    """Grill et al. section 3.2: 1 - (1 - tau) (cos(pi k / K) + 1) / 2."""
    assert momentum_at(progress, first=0.96) == pytest.approx(momentum)


@pytest.mark.parametrize(("name", "momentum"), [("byol", 0.95), ("moco", 0.9)])
def test_the_slow_encoder_follows_by_hand(name: str, momentum: float) -> None:
    method = build(name)
    slow = method.target if name == "byol" else method.key_encoder
    before = slow.head.weight.clone()
    with torch.no_grad():
        method.head.weight.add_(1.0)
        method.backbone.bn1.running_mean.add_(1.0)
    method.after_step(0.5)
    assert torch.allclose(slow.head.weight, before + (1 - momentum), atol=1e-6)
    assert float(slow.backbone.bn1.running_mean.abs().max()) == 0.0, "statistics are its own"
    method.start_round()
    assert torch.equal(slow.head.weight, method.head.weight)
    assert float(slow.backbone.bn1.running_mean.min()) == 1.0


def test_a_target_after_three_steps_by_hand() -> None:
    """From 0, with momentum 0.9, after encoders of 1, 2 and 4: 0.1, 0.29, 0.661."""
    slow = MomentumEncoder(nn.Linear(1, 1), nn.Linear(1, 1))
    fast = nn.Linear(1, 1), nn.Linear(1, 1)
    for layer in (slow.backbone, slow.head):
        nn.init.zeros_(layer.weight)  # type: ignore[arg-type]
    for encoder, expected in ((1.0, 0.1), (2.0, 0.29), (4.0, 0.661)):
        for layer in fast:
            nn.init.constant_(layer.weight, encoder)
        slow.follow(*fast, momentum=0.9)
        for layer in (slow.backbone, slow.head):
            assert float(layer.weight) == pytest.approx(expected)


def test_info_nce_is_lightlys_with_a_memory_bank() -> None:
    queries, keys, queue = (normalize(rows(n, 8, seed=n)) for n in (5, 6, 32))
    keys = keys[:5]
    theirs = NTXentLoss(temperature=0.2, memory_bank_size=(32, 8))
    theirs.memory_bank.bank.copy_(queue)
    ours = info_nce(queries, keys, queue, temperature=0.2)
    torch.testing.assert_close(ours, theirs(queries.requires_grad_(), keys).detach())
    own = Newest(queue.clone())
    own.add(keys)
    torch.testing.assert_close(own.rows, theirs.memory_bank.bank)


def test_mocos_step_asks_the_queue_of_the_batchs_modality() -> None:
    method: MoCo = build("moco")
    batch = a_batch("moco")
    queries = normalize(method(batch.views[0]))
    keys = normalize(method.key_encoder(batch.views[1]))
    losses = {
        modality: info_nce(queries, keys, method.queues[modality].rows, temperature=0.2)  # type: ignore[arg-type]
        for modality in ("image", "audio")
    }
    torch.testing.assert_close(method.training_step(batch), losses["image"])
    torch.testing.assert_close(
        method.training_step(batch._replace(modality="audio")), losses["audio"]
    )
    assert losses["image"] != losses["audio"]
    image = method.queues["image"].rows.clone()  # type: ignore[operator, union-attr]
    method.after_step(0.1)
    assert torch.equal(method.queues["image"].rows, image)  # type: ignore[arg-type]
    torch.testing.assert_close(method.queues["audio"].rows[:6], keys)  # type: ignore[index]


def test_the_oldest_rows_are_forgotten_first() -> None:
    newest = Newest(-torch.ones(5, 1))
    assert len(newest.filled()) == 0
    found = []
    for rows in ([1, 2, 3], [4, 5, 6], list(range(10, 17))):
        newest.add(torch.tensor(rows, dtype=torch.float32)[:, None])
        found.append(([int(row) for row in newest.rows], len(newest.filled())))
    assert found[0] == ([1, 2, 3, -1, -1], 3)
    assert found[1] == ([6, 2, 3, 4, 5], 5)
    assert found[2] == ([16, 12, 13, 14, 15], 5)


@pytest.mark.parametrize("name", METHODS)
def test_only_the_encoder_travels_and_only_trained_parts_get_gradients(name: str) -> None:
    encoder = initialise(0, **ARCHS["resnet18"])
    method = build(name)
    assert method.global_state().keys() == encoder.state_dict().keys()
    method.training_step(a_batch(name)).backward()
    trained = {n for n, p in method.named_parameters() if p.grad is not None}
    assert trained == {
        n for n in dict(method.named_parameters()) if not n.startswith(("target.", "key_"))
    }


@pytest.mark.parametrize("name", METHODS)
def test_what_a_method_adds_is_a_function_of_the_seed_alone(name: str) -> None:
    before = torch.random.get_rng_state()
    first, again, other = (build(name, seed=seed).state_dict() for seed in (0, 0, 1))
    assert torch.equal(torch.random.get_rng_state(), before)
    own = "predictor.0.weight" if name == "byol" else "queues.image.rows"
    assert all(torch.equal(first[n], again[n]) for n in first)
    assert not torch.equal(first[own], other[own])


@pytest.mark.parametrize("name", METHODS)
def test_a_loss_is_computed_in_float32_under_autocast(name: str) -> None:
    method = build(name)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert method.training_step(a_batch(name)).dtype == torch.float32


@pytest.mark.parametrize("arch", ARCHS)
@pytest.mark.parametrize("name", METHODS)
def test_a_federation_trains_and_its_model_is_the_encoder(
    inputs: dict[str, str], tmp_path: Path, name: str, arch: str
) -> None:
    changes = {"federation": SHORT, "method": METHODS[name], "encoder": ARCHS[arch]}
    model = run(inputs, tmp_path / "alone", **changes)
    encoder = read_encoder(typed(JobSettings, SETTINGS | changes), str(model))
    fresh = initialise(0, **ARCHS[arch])
    assert load_file(model).keys() == fresh.state_dict().keys()
    for part in ("backbone", "head"):
        saved = {n: t for n, t in load_file(model).items() if n.startswith(part)}
        moved = [n for n in saved if not torch.equal(saved[n], fresh.state_dict()[n])]
        assert moved, part
    assert all(
        torch.equal(encoder.state_dict()[n], t) for n, t in load_file(model).items() if n[0] == "b"
    )
    together = run(inputs, tmp_path / "together", clients=2, **changes)
    assert sha256(together) == sha256(model)


@pytest.mark.parametrize(("name", "own"), [("byol", "predictor."), ("moco", "queues.")])
def test_clients_keep_their_own_part_and_the_slow_encoder_starts_anew(
    inputs: dict[str, str], tmp_path: Path, name: str, own: str
) -> None:
    changes = {"federation": SHORT, "method": METHODS[name]}
    run(inputs, tmp_path, **changes)
    found = load_checkpoint(next((tmp_path / "state").iterdir()))
    assert found is not None
    kinds = {
        key.split("/")[1] + "/" + key.split("/")[2].split(".")[0] for key in found[1]["clients"]
    }
    assert kinds == {f"model/{own.rstrip('.')}"}
    federation, server = set_up(federated(SETTINGS | changes), inputs, device=torch.device("cpu"))
    server, _ = run_round(federation, server, 1)
    method = federation.trainer.method  # type: ignore[union-attr]
    client = next(iter(federation.memory._models))
    task = ClientTask(
        2, client, {}, Visit(server.model, {}, {}, 1.0), federation.memory.local(client)
    )
    federation.trainer._load(task)  # type: ignore[union-attr]
    kept = federation.memory.local(client)
    assert kept and all(torch.equal(method.state_dict()[n], t) for n, t in kept.items())
    slow = method.target if name == "byol" else method.key_encoder
    assert torch.equal(slow.head.weight, server.model["head.weight"])


def test_progress_runs_from_the_first_step_to_the_last(
    inputs: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[float] = []
    monkeypatch.setattr(BYOL, "after_step", lambda _self, progress: seen.append(progress))
    run(inputs, tmp_path, method=METHODS["byol"], federation=SHORT | {"fraction": 0.25})
    assert seen == sorted(seen) and len(set(seen)) == len(seen) > 4
    assert 0 < seen[0] < 0.5 and 0.5 in seen and seen[-1] == 1.0
