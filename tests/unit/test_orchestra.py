"""Orchestra: equally large clusters by hand and by a plain loop, its loss, and a federation."""

import math
from itertools import permutations
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch.nn.functional import cross_entropy, normalize, softmax

from fedssl import methods
from fedssl.aggregators import ClientUpdate, build
from fedssl.aggregators.accumulator import Accumulator
from fedssl.aggregators.base import Visit
from fedssl.backbones.encoder import initialise
from fedssl.files import sha256
from fedssl.methods.clusters import global_clusters, local_clusters, sinkhorn
from fedssl.methods.orchestra import Orchestra, Turned, turned
from tests.unit.federations import SETTINGS, history, lay_out, run
from tests.unit.test_resume import run_twice

RESNET = {"arch": "resnet18", "width": 8, "embedding_dim": 16}
SIZES = {
    **{"projection_hidden": 24, "projection_dim": 16},
    **{"global_clusters": 6, "local_clusters": 3, "memory": 16},
}
CELL: dict[str, Any] = {
    "method": {"name": "orchestra", **SIZES},
    "aggregator": {"name": "orchestra", "steps": 20},
    "encoder": RESNET,
    "federation": SETTINGS["federation"] | {"rounds": 3, "fraction": 0.75, "local_epochs": 1},  # type: ignore[operator]
}


def rows(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def directions(*shape: int, seed: int = 0) -> torch.Tensor:
    return normalize(rows(*shape, seed=seed), dim=1)


def build_method() -> Any:
    return methods.build("orchestra", initialise(0, **RESNET), **SIZES)


def test_sinkhorn_of_a_3_by_4_matrix_by_hand() -> None:
    """Rows that prefer clusters alike are spread evenly: the softmax of equal rows has rank one."""
    alike = torch.log(torch.tensor([[1.0, 2.0, 3.0, 4.0]] * 3))
    torch.testing.assert_close(sinkhorn(alike, sharpness=1.0), torch.full((3, 4), 0.25))
    # Row 1 prefers column 1 by a factor of 2, which scaling rows and columns does not change. With
    # x in this place, the rest of column 1 is y = (3/4 - x) / 2 each, that of row 1 (1 - x) / 3,
    # and the others are (1 - y) / 3: x (1 - y) = 2 y (1 - x), so 2 x^2 - 19/2 x + 3 = 0.
    scores = torch.zeros(3, 4)
    scores[0, 0] = math.log(2.0)
    found = sinkhorn(scores, sharpness=1.0, iterations=1000, tolerance=0.0)
    x = (19 / 2 - math.sqrt((19 / 2) ** 2 - 24)) / 4
    assert found[0, 0] == pytest.approx(x) and found[0, 1] == pytest.approx((1 - x) / 3)


def test_sinkhorn_is_that_of_a_plain_loop_and_balances_rows_and_columns() -> None:
    scores = directions(12, 8) @ directions(5, 8, seed=1).T
    plan = np.exp(5.0 * scores.double().numpy())
    for _ in range(2000):
        plan /= plan.sum(axis=0, keepdims=True) / (12 / 5)
        plan /= plan.sum(axis=1, keepdims=True)
    found = sinkhorn(scores, sharpness=5.0, iterations=2000, tolerance=0.0)
    torch.testing.assert_close(found.double(), torch.from_numpy(plan), rtol=1e-4, atol=1e-6)
    torch.testing.assert_close(found.sum(dim=1), torch.ones(12))
    torch.testing.assert_close(found.sum(dim=0), torch.full((5,), 12 / 5))


def test_clusters_find_groups_of_equal_size_in_any_order() -> None:
    centres = torch.eye(4)
    points = normalize(centres.repeat_interleave(5, 0) + 0.05 * rows(20, 4), dim=1)
    found = local_clusters(points, 4)
    assert (found @ centres.T).argmax(dim=1).sort().values.tolist() == [0, 1, 2, 3]
    torch.testing.assert_close(found.norm(dim=1), torch.ones(4))
    assert local_clusters(points[:2], 4).isfinite().all(), "fewer points than clusters"

    first = directions(4, 4, seed=2)
    fit = {"temperature": 0.1, "steps": 200, "lr": 0.05}
    fitted = global_clusters(points, first, **fit)  # type: ignore[arg-type]
    reversed_ = global_clusters(points.flip(0), first, **fit)  # type: ignore[arg-type]
    torch.testing.assert_close(fitted, reversed_, rtol=0, atol=1e-3)

    def loss(weight: torch.Tensor) -> float:
        similarity = points @ weight.T
        wanted, given = sinkhorn(similarity), softmax(similarity / 0.1, dim=1)
        return -float(torch.cosine_similarity(wanted, given, dim=1).mean())

    assert loss(fitted) < loss(first) - 0.01
    torch.testing.assert_close(fitted.norm(dim=1), torch.ones(4))


def test_an_image_is_turned_by_right_angles() -> None:
    image = torch.arange(4.0).view(1, 1, 2, 2)
    found = turned(image.expand(5, 1, 2, 2), torch.tensor([0, 1, 2, 3, 0]))
    assert [each.flatten().tolist() for each in found] == [
        *([0, 1, 2, 3], [1, 3, 0, 2], [3, 2, 1, 0], [2, 0, 3, 1], [0, 1, 2, 3]),
    ]


def test_the_loss_by_its_definition_and_none_before_there_are_clusters() -> None:
    method: Orchestra = build_method()
    batch = Turned(rows(3, 6, 3, 32, 32), torch.tensor([0, 1, 2, 3, 0, 1]))
    assert not method.training_step(batch).requires_grad, "the first round only clusters"
    assert len(method.memory.filled()) == 6
    method.rounds.fill_(1)
    method.start_round()
    target = normalize(method.target(batch.views[0]), dim=1)
    wanted = softmax(target @ method.centroids.T / 0.1, dim=1)
    logits = normalize(method(batch.views[1]), dim=1) @ method.centroids.T / 0.1
    turns = cross_entropy(method.rotation(method(batch.views[2])), batch.turns)
    torch.testing.assert_close(method.training_step(batch), cross_entropy(logits, wanted) + turns)


def test_what_is_reported_for_each_client_is_stacked_in_their_order() -> None:
    method: Orchestra = build_method()
    state = {name: t.clone() for name, t in method.global_state().items()}
    rule = build("orchestra", steps=3)
    accumulator = Accumulator(rule, state)
    sent = [directions(3, 16, seed=seed) for seed in (1, 2)]
    for centres in sent:
        report, kept = rule.finish(
            Visit(state, {}, {}, 1.0), {**state, "local_centroids": centres}, reach=1.0
        )
        assert not kept and accumulator.add(ClientUpdate(state, 5, 1.0, report)) is None
    model, _ = accumulator.step({})
    fit = {"temperature": 0.1, "steps": 3, "lr": 0.01}
    expected = global_clusters(torch.cat(sent), state["centroids"], **fit)  # type: ignore[arg-type]
    assert torch.equal(model["centroids"], expected) and int(model["rounds"]) == 1
    assert model.keys() == state.keys()
    torch.testing.assert_close(model["backbone.conv1.weight"], state["backbone.conv1.weight"])


def test_a_federation_clusters_first_and_then_trains(tmp_path: Path) -> None:
    inputs = lay_out(tmp_path)
    fresh = build_method().state_dict()
    only = run(
        inputs, tmp_path / "first", **CELL | {"federation": CELL["federation"] | {"rounds": 2}}
    )
    model = run(inputs, tmp_path / "alone", **CELL)
    saved = load_file(model)
    assert int(saved["rounds"]) == 3 and int(load_file(only)["rounds"]) == 2
    assert not torch.equal(saved["backbone.conv1.weight"], fresh["backbone.conv1.weight"])
    assert not torch.equal(saved["centroids"], fresh["centroids"])
    assert not any(name.startswith(("memory.", "local_")) for name in saved)
    rounds = history(tmp_path / "alone")
    assert {(row["steps"], row["loss"]) for row in rounds if row["round"] == "1"} == {("0", "")}
    assert all(row["loss"] and int(row["steps"]) for row in rounds if row["round"] != "1")
    together = run(inputs, tmp_path / "together", clients=2, **CELL)
    assert sha256(together) == sha256(model)


def test_clusters_and_memories_survive_an_interruption(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    inputs = lay_out(tmp_path)
    whole = run(inputs, tmp_path / "whole", **CELL)
    for after in (1, 2):
        resumed = run_twice(inputs, tmp_path / str(after), monkeypatch, after=after, **CELL)
        assert sha256(resumed) == sha256(whole)


def test_the_order_of_clients_does_not_matter_and_clients_that_stay_leave_the_model() -> None:
    method: Orchestra = build_method()
    state = {name: t.clone() for name, t in method.global_state().items()}
    moved = {n: t + 1 if n == "head.0.3.weight" else t for n, t in state.items()}
    updates = [
        ClientUpdate(sent, samples, 1.0, {"each/local_centroids": directions(3, 16, seed=samples)})
        for sent, samples in ((state, 5), (moved, 15), (state, 20))
    ]
    rule = build("orchestra", steps=20)

    def model(*clients: ClientUpdate) -> dict[str, torch.Tensor]:
        accumulator = Accumulator(rule, state)
        assert [accumulator.add(client) for client in clients] == [None] * len(clients)
        return accumulator.step({})[0]

    first = model(*updates)
    assert torch.allclose(first["head.0.3.weight"], state["head.0.3.weight"] + 15 / 40, atol=1e-6)
    for order in permutations(updates):
        for name, tensor in model(*order).items():
            torch.testing.assert_close(tensor, first[name], rtol=0, atol=1e-5)
    stayed = model(updates[0], updates[2])
    for name in stayed.keys() - {"centroids", "rounds"}:
        torch.testing.assert_close(stayed[name], state[name])
