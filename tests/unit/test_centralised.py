"""Centralised training: the same modules through a Trainer, interrupted or not."""

import copy
import logging
from pathlib import Path

import numpy as np
import pytest
import torch
from pytorch_lightning.utilities import rank_zero
from torch import Tensor

from fedssl.data.banks.bank import open_bank
from fedssl.errors import UserError
from fedssl.federation import centralised
from fedssl.federation.batches import epoch_batches
from fedssl.federation.checkpoint import load_state
from fedssl.federation.settings import CentralisedSettings
from fedssl.files import sha256
from fedssl.methods.simclr import SimCLR
from fedssl.randomness import stream
from fedssl.typed import typed
from fedssl.views.bank_views import Views
from tests.unit.federations import SETTINGS, history, lay_out

EPOCHS = 3
LIGHTNING = logging.getLogger(rank_zero.__name__)
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


def test_every_epoch_sees_every_sample_once_in_an_order_of_its_own(
    inputs: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: dict[str, list[int]] = {"image": [], "audio": []}

    def views(self: SimCLR, source: Views, indices: np.ndarray, rng: np.random.Generator) -> object:
        seen[source.bank.modality] += indices.tolist()
        return make_views(self, source, indices, rng)

    make_views = SimCLR.views
    monkeypatch.setattr(SimCLR, "views", views)
    run(inputs, tmp_path)
    for modality, positions in seen.items():
        training = open_bank(Path(inputs[f"{modality}_bank"]).parent).indices("train").tolist()
        epochs = [positions[start : start + 60] for start in range(0, len(positions), 60)]
        assert [sorted(epoch) for epoch in epochs] == [training] * EPOCHS
        assert len({tuple(epoch) for epoch in epochs}) == EPOCHS
    rows = history(tmp_path)
    assert [(row["round"], row["modality"]) for row in rows] == [
        (str(epoch), modality) for epoch in range(1, EPOCHS + 1) for modality in ("image", "audio")
    ]
    assert all((row["samples"], row["steps"]) == ("60", "8") for row in rows)


def test_it_is_plain_sgd_on_the_methods_own_batches(inputs: dict[str, str], tmp_path: Path) -> None:
    """The Trainer adds nothing: a plain loop over two epochs gives the same weights and losses.

    Both run in this process. Nothing is asked of the losses themselves, because whether so short
    a training lowers them depends on the rounding of the CPU.
    """
    settings = copy.deepcopy(SETTINGS) | {"aggregator": {"name": "centralised", "epochs": 2}}
    training = centralised.set_up(
        typed(CentralisedSettings, settings), inputs, device=torch.device("cpu")
    )
    method, sources = training.method.train(), training._views
    optimiser = torch.optim.SGD(
        method.parameters(), lr=0.03, momentum=0.9, weight_decay=1e-4, fused=True
    )
    expected = []
    for epoch, lr in ((1, 0.03), (2, 0.015)):  # half a cosine
        optimiser.param_groups[0]["lr"] = lr
        draws = stream(0, "centralised views", round=epoch)
        losses: dict[str, list[Tensor]] = {modality: [] for modality in sources}
        for modality, indices in epoch_batches(
            {modality: source.bank.indices("train") for modality, source in sources.items()},
            batch_size=8,
            order="alternate",
            rng=stream(0, "centralised batches", round=epoch),
        ):
            loss = method.training_step(method.views(sources[modality], indices, draws))
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            losses[modality].append(loss.detach())
        expected += [float(torch.stack(found).mean()) for found in losses.values()]
    trained = load_state(run(inputs, tmp_path, aggregator=settings["aggregator"]))
    assert [float(row["loss"]) for row in history(tmp_path)] == pytest.approx(expected, rel=1e-5)
    assert trained.keys() == method.state_dict().keys()
    for name, tensor in method.state_dict().items():
        assert torch.equal(trained[name], tensor), name


@pytest.mark.parametrize("lr", [1e30, 1e38])
def test_a_training_that_diverges_fails(inputs: dict[str, str], tmp_path: Path, lr: float) -> None:
    optimiser = SETTINGS["optimiser"] | {"lr": lr}  # type: ignore[operator]
    with pytest.raises(UserError, match=r"epoch 1: the loss of step \d+ of \d+ .*optimiser\.lr"):
        run(inputs, tmp_path, optimiser=optimiser)
    assert not (tmp_path / "model.safetensors").exists()


def test_lightning_says_nothing_of_hardware_and_tips_among_the_lines_of_a_run() -> None:
    assert not LIGHTNING.isEnabledFor(logging.INFO)
    assert LIGHTNING.isEnabledFor(logging.WARNING)
