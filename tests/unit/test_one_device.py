"""On a GPU every tensor of a step stays there: fake tensors have a device and no data.

An operation on tensors of two devices is an error here as it is on a GPU, and no GPU is needed.
Gradients are not covered, because backward needs a real device.
"""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch._subclasses import FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from fedssl import methods
from fedssl.backbones.encoder import Encoder, initialise
from fedssl.data.banks.bank import open_bank
from fedssl.files import read_json
from fedssl.randomness import stream
from fedssl.typed import typed
from fedssl.views import audio, bank_views
from fedssl.views.fine_tune import FineTuneViews
from fedssl.views.settings import FineTuneAugmentation, ViewSettings
from tests.unit.federations import SETTINGS, lay_out

GPU = torch.device("cuda")
BATCH = np.arange(8)
# One for all tests: constants that are kept for a device belong to the mode that made them.
MODE = FakeTensorMode()
METHODS = {
    "simclr": {"temperature": 0.5, "loss": "ntxent", "view_batches": "joint"},
    "barlow-twins": {"off_diagonal_weight": 0.005, "std": "biased", "view_batches": "separate"},
    "byol": {"view_batches": "joint", "predictor_hidden": 32, "momentum": 0.99},
    "moco": {"temperature": 0.2, "momentum": 0.99, "queue": 16},
    "acop": {"n_clips": 3, "clip_seconds": 0.1, "gap_seconds": 0.0, "dropout": 0.5},
}
ENCODERS = {
    "resnet18": {"width": 8, "embedding_dim": 16},
    "vit": {"patch": 8, "depth": 1, "heads": 2, "dim": 16, "mlp_ratio": 2, "embedding_dim": 16},
}


class HostOperations(TorchDispatchMode):
    """Notes the operations that compute on the CPU."""

    def __init__(self) -> None:
        super().__init__()
        self.names: set[str] = set()

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):  # type: ignore[no-untyped-def]
        result = func(*args, **(kwargs or {}))
        tensors = [leaf for leaf in tree_leaves([args, result]) if isinstance(leaf, Tensor)]
        if not any(map(on_gpu, tensors)):
            self.names.add(func.overloadpacket.__name__)
        return result


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    return lay_out(tmp_path_factory.mktemp("federation"))


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> FakeTensorMode:
    # Fake tensors cannot be pinned; pinning leaves a tensor where it is.
    monkeypatch.setattr(Tensor, "pin_memory", lambda tensor: tensor)
    # A mode holds for one thread, so no other may read samples.
    monkeypatch.setattr(bank_views, "steps_ahead", lambda device: 0)
    # torchaudio looks at the values of its filters, which a fake tensor does not have.
    monkeypatch.setattr(
        audio, "melscale_fbanks", lambda bins, low, high, mels, rate: torch.empty(bins, mels)
    )
    return MODE


def views(inputs: dict[str, str], modality: str) -> FineTuneViews:
    return FineTuneViews(
        open_bank(Path(inputs[f"{modality}_bank"]).parent),
        typed(ViewSettings, SETTINGS),
        statistics=read_json(inputs["normalisation"]),
        device=GPU,
    )


def encoder(arch: str) -> Encoder:
    size = {"image_size": 32} if arch == "vit" else {}
    return initialise(0, arch=arch, **ENCODERS[arch], **size)


def moved(module: nn.Module, fake: FakeTensorMode) -> nn.Module:
    """Return a module whose tensors are fake and on the GPU; `.to` refuses fake parameters."""
    for part in module.modules():
        for own in (part._parameters, part._buffers):
            for name, tensor in own.items():
                if tensor is not None:
                    copy = fake.from_tensor(tensor.detach())
                    with fake:
                        own[name] = copy.to(GPU)
    return module


def on_gpu(tensor: Tensor) -> bool:
    return tensor.device.type == "cuda"


@pytest.mark.parametrize("modality", ["image", "audio"])
@pytest.mark.parametrize("kind", ["augmented", "plain", "fine_tune"])
def test_a_view_is_made_on_the_gpu(
    kind: str, modality: str, inputs: dict[str, str], fake: FakeTensorMode
) -> None:
    source, draws = views(inputs, modality), stream(0, "views")
    light = FineTuneAugmentation(crop=0.875, flip_probability=0.5)
    with fake, torch.no_grad():
        made = {
            "augmented": lambda: source.augmented(BATCH, draws),
            "plain": lambda: source.plain(BATCH),
            "fine_tune": lambda: source.fine_tune(BATCH, draws, augmentation=light),
        }[kind]()
    assert on_gpu(made) and made.shape == (8, 3, 32, 32)


@pytest.mark.parametrize("modality", ["image", "audio"])
@pytest.mark.parametrize("method", sorted(METHODS))
def test_a_step_stays_on_the_gpu_up_to_its_loss(
    method: str, modality: str, inputs: dict[str, str], fake: FakeTensorMode
) -> None:
    if modality not in methods.method_class(method).Settings.modalities:
        pytest.skip(f"{method} does not train on {modality}")
    built = methods.build(method, encoder("resnet18"), **METHODS[method])
    trained = moved(built, fake).train()
    source = views(inputs, modality)
    draws = stream(0, "views")
    with fake, torch.no_grad():
        trained.training_step(trained.views(source, BATCH, draws))  # makes the constants
        with HostOperations() as host:
            trained.start_round()
            loss = trained.training_step(trained.views(source, BATCH, draws))
            trained.after_step(0.5)
    assert on_gpu(loss) and loss.shape == ()
    assert all(on_gpu(tensor) for tensor in trained.state_dict().values())
    # Arrays become tensors, and no more: CPU threads cannot change a bit of what a GPU computes.
    assert host.names <= {"device", "lift_fresh"}


@pytest.mark.parametrize("arch", sorted(ENCODERS))
def test_an_encoder_stays_on_the_gpu(arch: str, fake: FakeTensorMode) -> None:
    built = moved(encoder(arch), fake)
    with fake, torch.no_grad():
        embeddings = built(torch.empty(4, 3, 32, 32, device=GPU))
    assert on_gpu(embeddings) and embeddings.shape == (4, 16)


def test_an_operation_on_two_devices_is_found(fake: FakeTensorMode) -> None:
    with fake, pytest.raises(RuntimeError, match="device"):
        torch.ones(2, device=GPU) + torch.ones(2)
