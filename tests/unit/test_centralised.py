"""Centralised training: the same modules through a Trainer, interrupted or not."""

import copy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn.functional import mse_loss

from fedssl.federation import centralised
from fedssl.federation.checkpoint import load_state
from fedssl.federation.settings import CentralisedSettings
from fedssl.files import sha256
from fedssl.methods.simclr import SimCLR
from fedssl.typed import typed
from fedssl.views.bank_views import Views
from tests.unit.federations import SETTINGS, history, lay_out

EPOCHS = 3
ACOP = {"name": "acop", "n_clips": 3, "clip_seconds": 0.1, "gap_seconds": 0.05, "dropout": 0.5}


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    found = lay_out(tmp_path_factory.mktemp("centralised"))
    return {name: path for name, path in found.items() if not name.endswith("_shards")}


def run(inputs: dict[str, str], folder: Path, **changes: object) -> Path:
    settings = copy.deepcopy(SETTINGS) | {"aggregator": {"name": "centralised", "epochs": EPOCHS}}
    centralised.pretrain(
        settings | changes,
        inputs=inputs,
        checkpoints=str(folder / "state"),
        model=str(folder / "model.safetensors"),
        rounds=str(folder / "rounds.csv"),
    )
    return folder / "model.safetensors"


class Interrupted(Exception):
    pass


@pytest.mark.parametrize(
    ("method", "after"),
    [
        (SETTINGS["method"], 2),
        (SETTINGS["method"], EPOCHS),
        (ACOP, 2),
        ({"name": "byol", "predictor_hidden": 32}, 2),
        ({"name": "moco", "queue": 16}, 2),
    ],
)
def test_an_interrupted_training_ends_with_the_same_bits(
    inputs: dict[str, str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    method: dict[str, object],
    after: int,
) -> None:
    changes: dict[str, object] = {"method": method}
    if method is ACOP:
        inputs = {name: path for name, path in inputs.items() if not name.startswith("image")}
        changes["split"] = "a100-i0-b0"
    whole = run(inputs, tmp_path / "whole", **changes)
    save = centralised.save_checkpoint

    def interrupted(folder: Path, epoch: int, *rest: object) -> None:
        save(folder, epoch, *rest)  # type: ignore[arg-type]
        if epoch == after:
            raise Interrupted

    monkeypatch.setattr(centralised, "save_checkpoint", interrupted)
    with pytest.raises(Interrupted):
        run(inputs, tmp_path / "resumed", **changes)
    monkeypatch.setattr(centralised, "save_checkpoint", save)
    resumed = run(inputs, tmp_path / "resumed", **changes)
    assert sha256(resumed) == sha256(whole)
    assert history(tmp_path / "resumed") == history(tmp_path / "whole")
    assert all(name.startswith(("backbone.", "head.")) for name in load_state(whole))
    assert (tmp_path / "resumed" / "state").exists(), "kept until the job is recorded"


def test_every_epoch_sees_every_sample_once(
    inputs: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """That a step follows the method's gradient is the next test: whether a loss falls is luck."""
    seen: list[tuple[str, int]] = []
    views = SimCLR.views

    def watched(self: SimCLR, source: Views, indices: np.ndarray, rng: np.random.Generator) -> Any:
        seen.extend((source.bank.modality, index) for index in indices.tolist())
        return views(self, source, indices, rng)

    monkeypatch.setattr(SimCLR, "views", watched)
    model = run(inputs, tmp_path)
    per_epoch = [seen[start : start + 120] for start in range(0, len(seen), 120)]
    assert len(per_epoch) == EPOCHS
    assert all(len(set(epoch)) == 120 for epoch in per_epoch)
    assert len({tuple(epoch) for epoch in per_epoch}) == EPOCHS, "shuffled anew"
    rows = history(tmp_path)
    assert [(row["round"], row["modality"]) for row in rows] == [
        (str(epoch), modality) for epoch in range(1, EPOCHS + 1) for modality in ("image", "audio")
    ]
    assert all((row["samples"], row["steps"]) == ("60", "8") for row in rows)
    names = set(load_state(model))
    assert all(name.startswith(("backbone.", "head.")) for name in names)


def test_one_epoch_is_plain_sgd_on_the_methods_own_batches(
    inputs: dict[str, str], tmp_path: Path
) -> None:
    """The Trainer adds nothing: a loop of five lines gives the same weights."""
    settings = copy.deepcopy(SETTINGS) | {"aggregator": {"name": "centralised", "epochs": 1}}
    training = centralised.set_up(
        typed(CentralisedSettings, settings), inputs, device=torch.device("cpu")
    )
    training._draws = centralised.stream(0, "centralised views", round=1)
    optimiser = torch.optim.SGD(
        training.method.parameters(), lr=0.03, momentum=0.9, weight_decay=1e-4, fused=True
    )
    training.method.train()
    batches = centralised.epoch_batches(
        {modality: views.bank.indices("train") for modality, views in training._views.items()},
        batch_size=8,
        order="alternate",
        rng=centralised.stream(0, "centralised batches", round=1),
    )
    for modality, indices in batches:
        views = training.method.views(training._views[modality], indices, training._draws)
        optimiser.zero_grad()
        training.method.training_step(views).backward()
        optimiser.step()
    trained = load_state(run(inputs, tmp_path, aggregator=settings["aggregator"]))
    for name, tensor in training.method.state_dict().items():
        assert mse_loss(trained[name].double(), tensor.double()) == 0, name
