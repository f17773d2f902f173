"""Training on a GPU: no waiting in a step, the same bits again, and close in other precisions."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from fedssl import methods
from fedssl.aggregators.base import Visit
from fedssl.device import prepare_device
from fedssl.federation.client import LocalTrainer, local_trainer
from fedssl.federation.trainer import ClientTask
from fedssl.files import sha256
from tests.unit.federations import SETTINGS, federated, run
from tests.unit.test_one_device import ENCODERS, METHODS

ENCODER = {name: {"arch": name, **settings} for name, settings in ENCODERS.items()}
ENCODER["vit"] |= {"image_size": 32}
TOLERANCE = {"tf32": 0.01, "bf16": 0.05}  # relative, of a loss after five steps


def trainer(inputs: dict[str, str], device: torch.device, **changes: Any) -> LocalTrainer:
    return local_trainer(federated({**SETTINGS, **changes}), inputs, device=device)


def task(own: LocalTrainer, modality: str, steps: int = 5) -> ClientTask:
    """A task of batches of eight samples in each of two epochs, from the trainer's own model."""
    received = {name: tensor.clone() for name, tensor in own.method.global_state().items()}
    visit = Visit(received, {}, {}, 1.0)
    return ClientTask(1, 0, {modality: np.arange(8 * steps) % 48}, visit, {})


def image_loss(own: LocalTrainer) -> float:
    return own.train(task(own, "image")).update.loss


@pytest.mark.parametrize("modality", ["image", "audio"])
@pytest.mark.parametrize("method", sorted(METHODS))
def test_a_step_does_not_wait_for_the_gpu(
    method: str, modality: str, inputs: dict[str, str], gpu: torch.device
) -> None:
    if modality not in methods.method_class(method).Settings.modalities:
        pytest.skip(f"{method} does not train on {modality}")
    own = trainer(inputs, gpu, method={"name": method, **METHODS[method]})
    visit = task(own, modality)
    own.train(visit)  # makes the constants, and lets libraries choose their kernels
    steps = [step for step in own._steps(visit) if step is not None]
    optimiser, rule = own._optimiser(), own._aggregator.in_round(1)
    own._step(steps[0], rule, visit.visit, optimiser=optimiser)
    torch.cuda.set_sync_debug_mode("error")
    try:
        for step in steps[1:]:
            own._step(step, rule, visit.visit, optimiser=optimiser)
    finally:
        torch.cuda.set_sync_debug_mode("default")


@pytest.mark.parametrize("arch", sorted(ENCODER))
def test_a_federation_gives_the_same_bits_again_and_in_several_processes(
    arch: str, inputs: dict[str, str], tmp_path: Path
) -> None:
    short = SETTINGS["federation"] | {"fraction": 0.75, "rounds": 2}  # type: ignore[operator]
    changes = {"encoder": ENCODER[arch], "federation": short}
    first = sha256(run(inputs, tmp_path / "first", **changes))
    assert sha256(run(inputs, tmp_path / "again", **changes)) == first
    # On as many GPUs as there are, which must be of one model.
    workers = max(2, torch.cuda.device_count())
    assert sha256(run(inputs, tmp_path / "workers", clients=workers, **changes)) == first


@pytest.mark.parametrize("arch", sorted(ENCODER))
def test_training_on_a_gpu_is_close_to_a_cpu(
    arch: str, inputs: dict[str, str], gpu: torch.device
) -> None:
    losses = [
        image_loss(trainer(inputs, device, encoder=ENCODER[arch]))
        for device in (gpu, torch.device("cpu"))
    ]
    assert losses[0] == pytest.approx(losses[1], rel=0.002)


@pytest.mark.parametrize("precision", sorted(TOLERANCE))
@pytest.mark.parametrize("arch", sorted(ENCODER))
def test_lower_precision_is_close_to_fp32(
    arch: str, precision: str, inputs: dict[str, str], gpu: torch.device
) -> None:
    expected = image_loss(trainer(inputs, gpu, encoder=ENCODER[arch]))
    prepare_device(1, precision=precision)
    other = trainer(inputs, gpu, encoder=ENCODER[arch], precision=precision)
    found = image_loss(other)
    assert found == pytest.approx(expected, rel=TOLERANCE[precision])
