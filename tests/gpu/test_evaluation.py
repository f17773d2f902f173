"""Features and predictions of a GPU are those of a CPU."""

from pathlib import Path

import pytest
import torch

from fedssl.backbones.encoder import initialise
from fedssl.data.banks.bank import open_bank
from fedssl.evaluation.features import extract_features
from fedssl.files import read_json
from fedssl.typed import typed
from fedssl.views.bank_views import Views
from fedssl.views.settings import ViewSettings
from tests.gpu.test_training import ENCODER
from tests.unit.federations import SETTINGS
from tests.unit.test_knn import features, predict


@pytest.mark.parametrize("modality", ["image", "audio"])
@pytest.mark.parametrize("arch", sorted(ENCODER))
def test_features_of_a_gpu_are_those_of_a_cpu(
    arch: str, modality: str, inputs: dict[str, str], gpu: torch.device
) -> None:
    bank = open_bank(Path(inputs[f"{modality}_bank"]).parent)
    found, expected = (
        extract_features(
            initialise(0, **ENCODER[arch]).backbone,
            Views(
                bank,
                typed(ViewSettings, SETTINGS),
                statistics=read_json(inputs["normalisation"]),
                device=device,
            ),
            bank.indices("test"),
            device=device,
        ).cpu()
        for device in (gpu, torch.device("cpu"))
    )
    # By the norms of whole vectors, because single features can be near 0.
    distance, norm = (
        torch.linalg.vector_norm(of, dim=1).max() for of in (found - expected, expected)
    )
    assert distance < 1e-3 * norm


def test_a_gpu_predicts_what_a_cpu_does(gpu: torch.device) -> None:
    queries, _ = features(150, seed=1)
    bank, labels = features(400, seed=2)
    found = predict(queries, bank.to(gpu), labels.to(gpu))
    assert found.device.type == "cpu"
    assert torch.equal(found, predict(queries, bank, labels))
