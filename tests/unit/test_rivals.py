"""The methods that table 8 of fssuavl compares with: FedU and FedEMA over BYOL, and SimSiam."""

from pathlib import Path
from typing import Any

import pytest
import torch
from lightly.loss import NegativeCosineSimilarity
from safetensors.torch import load_file

from fedssl import methods
from fedssl.aggregators import build
from fedssl.aggregators.base import Visit, is_trained
from fedssl.backbones.encoder import initialise
from fedssl.federation import rounds
from fedssl.federation.checkpoint import load_checkpoint
from fedssl.federation.server import num_bytes
from fedssl.files import sha256
from fedssl.grid.facts import fact
from fedssl.grid.parts import declared_by
from fedssl.methods.simsiam import SimSiam, simsiam_loss
from tests.unit.federations import SETTINGS, lay_out, run
from tests.unit.test_resume import run_twice

RESNET = {"arch": "resnet18", "width": 8, "embedding_dim": 16}
ROUNDS = SETTINGS["federation"] | {"rounds": 3, "fraction": 0.75, "local_epochs": 1}  # type: ignore[operator]
BYOL = {
    **{"name": "byol", "predictor_hidden": 32, "momentum": 0.99},
    **{"momentum_schedule": "constant", "predictor": "travels", "target": "stays"},
}
MLP = {"projection": "mlp", "projection_hidden": 24, "projection_dim": 8}
CELLS: dict[str, dict[str, Any]] = {
    "fedu": {"method": BYOL | MLP, "aggregator": {"name": "fedu", "mu": 0.01}},
    "fedema": {"method": BYOL, "aggregator": {"name": "fedema"}},
    "fedema-local": {"method": BYOL, "aggregator": {"name": "fedema", "distance": "local"}},
    "simsiam": {"method": {"name": "simsiam", "predictor_hidden": 8}},
}


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    return lay_out(tmp_path_factory.mktemp("rivals"))


def rows(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def test_simsiams_loss_is_lightlys_and_stops_the_gradient() -> None:
    predicted, embedded = rows(17, 8).requires_grad_(), rows(17, 8, seed=1).requires_grad_()
    loss = simsiam_loss(predicted, embedded)
    torch.testing.assert_close(loss, NegativeCosineSimilarity()(predicted, embedded))
    loss.backward()
    assert predicted.grad is not None and embedded.grad is None


@pytest.mark.parametrize("batches", ["joint", "separate"])
def test_simsiams_step_is_symmetric(batches: str) -> None:
    encoder = initialise(0, **RESNET)
    method = methods.build("simsiam", encoder, predictor_hidden=8, view_batches=batches)
    assert isinstance(method, SimSiam)
    views, cosine = rows(2, 6, 3, 32, 32), NegativeCosineSimilarity()
    if batches == "joint":
        embedded = method.norm(method(views.flatten(0, 1)))
        (first, second), (one, two) = embedded.chunk(2), method.predictor(embedded).chunk(2)
    else:
        first, second = (method.norm(method(view)) for view in views)
        one, two = method.predictor(first), method.predictor(second)
    theirs = (cosine(one, second.detach()) + cosine(two, first.detach())) / 2
    torch.testing.assert_close(method.training_step(views), theirs)


def test_an_mlp_tells_samples_apart_that_a_linear_head_maps_to_one_direction() -> None:
    """Features are positive, so a linear head adds the same large vector to all of them."""
    views = rows(16, 3, 32, 32)

    def mean_cosine(name: str, **changes: object) -> float:
        encoder = initialise(0, **RESNET, stem="3x3")
        before = {key: tensor.clone() for key, tensor in encoder.backbone.state_dict().items()}
        method: Any = methods.build(name, encoder, **changes)
        after = method.backbone.state_dict()
        assert all(torch.equal(after[key], tensor) for key, tensor in before.items())
        embedded = torch.nn.functional.normalize(method(views).detach(), dim=1)
        return float((embedded @ embedded.T).fill_diagonal_(0.0).sum()) / (16 * 15)

    assert mean_cosine("byol") > 0.85
    assert abs(mean_cosine("byol", **MLP)) < 0.4
    assert abs(mean_cosine("orchestra")) < 0.2


def state(*conv: float, mean: float = 1.0) -> dict[str, torch.Tensor]:
    return {
        "backbone.conv1.weight": torch.tensor(conv, dtype=torch.float32),
        "backbone.bn1.running_mean": torch.tensor([mean]),
        "predictor.0.weight": torch.tensor([10.0 * conv[0]]),
    }


def test_fedema_by_hand() -> None:
    """lambda is tau over the first distance, 5: the second distance of 2 gives mu = 0.8 x 2 / 5."""
    rule = build("fedema", tau=0.8)
    first = state(0, 0)
    assert rule.start(first, {}) is first, "the global model"
    visit = Visit(state(0, 0), {}, {}, 1.0)
    report, kept = rule.finish(visit, state(3, 4), reach=1.0)
    assert report == {}

    start = rule.start(state(0, 0, mean=7.0), kept)
    assert start["backbone.conv1.weight"].tolist() == pytest.approx([2.4, 3.2])
    assert start["predictor.0.weight"].tolist() == pytest.approx([24.0])
    assert start["backbone.bn1.running_mean"].tolist() == [7.0], "statistics are the global ones"

    _, kept = rule.finish(Visit(start, {}, kept, 1.0), state(2, 0), reach=1.0)
    start = rule.start(state(0, 0), kept)
    assert start["backbone.conv1.weight"].tolist() == pytest.approx([2 * 0.32, 0.0])
    _, kept = rule.finish(Visit(start, {}, kept, 1.0), state(-30, 0), reach=1.0)
    start = rule.start(state(0, 0), kept)
    assert start["backbone.conv1.weight"].tolist() == [-30.0, 0.0], "mu is at most 1"


def test_fedema_by_the_authors_code_measures_local_training() -> None:
    """First drift 5, so lambda = 0.7 / 5; the second drift of 1 gives mu = 0.14."""
    rule = build("fedema", tau=0.7, distance="local")
    _, kept = rule.finish(Visit(state(0, 0), {}, {}, 1.0), state(3, 4), reach=1.0)
    far = state(100, 0)
    start = rule.start(far, kept)
    assert start["backbone.conv1.weight"].tolist() == pytest.approx([30 + 2.1, 2.8])
    _, kept = rule.finish(Visit(state(3, 4), {}, kept, 1.0), state(3, 5), reach=1.0)
    start = rule.start(far, kept)
    assert start["backbone.conv1.weight"].tolist() == pytest.approx([86 + 0.42, 0.7])


@pytest.mark.parametrize("distance", ["global", "local"])
def test_a_client_that_equals_the_server_is_a_fixed_point_of_fedema(distance: str) -> None:
    rule = build("fedema", distance=distance)
    kept: dict[str, torch.Tensor] = {}
    for _ in range(3):
        start = rule.start(state(3, 4), kept)
        for name, tensor in state(3, 4).items():
            torch.testing.assert_close(start[name], tensor)
        _, kept = rule.finish(Visit(start, {}, kept, 1.0), state(3, 4), reach=1.0)


def test_fedu_keeps_the_predictor_if_there_is_one() -> None:
    before, after = state(0, 0), state(3, 4)
    before["head.weight"], after["head.weight"] = torch.zeros(1), torch.ones(1)
    # The method's other tensors are no part of the model that was received.
    after["target.backbone.conv1.weight"] = torch.full((2,), 99.0)
    for mu, predictor in ((5.1, 0.0), (5.0, 30.0)):
        rule = build("fedu", mu=mu)
        _, kept = rule.finish(Visit(before, {}, {}, 1.0), after, reach=1.0)
        start = rule.start(before, kept)
        assert start.keys() == before.keys()
        assert start["predictor.0.weight"].tolist() == [predictor]
        assert start["head.weight"].tolist() == [0.0]


@pytest.mark.parametrize("cell", CELLS)
def test_a_federation_learns_the_same_with_clients_in_parallel(
    inputs: dict[str, str], tmp_path: Path, cell: str
) -> None:
    changes = {"federation": ROUNDS, "encoder": RESNET} | CELLS[cell]
    model = run(inputs, tmp_path / "alone", **changes)
    named = {name: value for name, value in CELLS[cell]["method"].items() if name != "name"}
    method = methods.build(CELLS[cell]["method"]["name"], initialise(0, **RESNET), **named)
    fresh, saved = method.global_state(), load_file(model)
    assert saved.keys() == fresh.keys() and any(name.startswith("predictor.") for name in saved)
    assert not torch.equal(saved["backbone.conv1.weight"], fresh["backbone.conv1.weight"])
    assert sha256(run(inputs, tmp_path / "together", clients=2, **changes)) == sha256(model)


@pytest.mark.parametrize("cell", CELLS)
def test_what_a_client_of_a_rival_keeps_survives_an_interruption(
    inputs: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cell: str
) -> None:
    changes = {"federation": ROUNDS, "encoder": RESNET} | CELLS[cell]
    whole = run(inputs, tmp_path / "whole", **changes)
    resumed = run_twice(inputs, tmp_path / "resumed", monkeypatch, after=2, **changes)
    assert sha256(resumed) == sha256(whole)


@pytest.mark.parametrize(
    ("cell", "keeps", "models"),
    [
        ("fedu", ("target.", "predictor."), 1),
        ("fedema", ("target.", "backbone.", "head.", "predictor."), 2),
        ("simsiam", (), 0),
    ],
)
def test_a_job_counts_what_a_client_keeps_and_sends(
    inputs: dict[str, str], tmp_path: Path, cell: str, keeps: tuple[str, ...], models: int
) -> None:
    settings = SETTINGS | {"federation": ROUNDS, "encoder": RESNET} | CELLS[cell]
    files = {name: str(tmp_path / name) for name in ("model", "rounds", "milestones")}
    facts = rounds.pretrain(
        settings, inputs=inputs, clients=1, checkpoints=str(tmp_path / "state"), **files
    )
    named = {name: value for name, value in CELLS[cell]["method"].items() if name != "name"}
    method = methods.build(CELLS[cell]["method"]["name"], initialise(0, **RESNET), **named)
    assert facts["server_memory_bytes"] == num_bytes(method.global_state())
    state, scalar = method.state_dict(), torch.zeros((), dtype=torch.float64)
    kept = {name: t for name, t in state.items() if name.startswith(keeps)}
    if models == 2:  # FedEMA mixes parameters alone, and remembers their scale
        kept = {n: t for n, t in kept.items() if n.startswith("target.") or is_trained(n, t)}
    notes = {"drift": scalar} if models else {}
    assert facts["client_memory_bytes"] == num_bytes(kept, notes)
    parts = [declared_by("method", settings["method"]["name"])]  # type: ignore[index]
    parts.append(declared_by("aggregator", settings["aggregator"]["name"]))  # type: ignore[index]
    assert sum(fact(declared, "kept_models") for declared in parts) == models


def test_a_target_stays_with_its_client_from_its_first_round_on(
    inputs: dict[str, str], tmp_path: Path
) -> None:
    changes = {"federation": ROUNDS | {"rounds": 2}, "encoder": RESNET} | CELLS["fedema"]
    run(inputs, tmp_path, **changes)
    found = load_checkpoint(next((tmp_path / "state").iterdir()))
    assert found is not None
    clients = found[1]["clients"]
    own = {name: value for name, value in BYOL.items() if name != "name"}
    method: Any = methods.build("byol", initialise(0, **RESNET), **own)
    kept = {n.split("/model/")[1]: t for n, t in clients.items() if "/model/" in n}
    assert kept and all(name.startswith("target.") for name in kept)
    assert bool(kept["target.own"])
    method.load_state_dict(method.state_dict() | kept)
    before = kept["target.head.weight"].clone()
    method.start_round()
    assert torch.equal(method.target.head.weight, before), "not the received encoder"
    assert not torch.equal(method.target.head.weight, method.head.weight)
