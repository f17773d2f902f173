"""An exported encoder computes the features that the workflow has scored."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import fedssl
from fedssl.data.banks.bank import open_bank
from fedssl.evaluation.features import extract_features
from fedssl.evaluation.job_files import read_encoder
from fedssl.evaluation.settings import ScoreSettings
from fedssl.files import read_json
from fedssl.typed import typed
from fedssl.views.bank_views import Views
from tests.workflow.project import Project

CELL = "fssuavl/simclr/resnet18/fedavg/a0-i100-b0/base/seed0"
RESULTS = "results/demo"
COUNT = 20


@pytest.fixture(scope="module")
def exported(finished: Project, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("exported") / "encoder.safetensors"
    finished.shell(f"fedssl export {RESULTS}/pretrain/{CELL} --output {path}")
    return path


@pytest.fixture(scope="module")
def images(finished: Project) -> np.ndarray:
    bank = open_bank(finished.root / RESULTS / "banks/cifar10")
    assert bank.images is not None
    return np.array(bank.images[:COUNT])


@pytest.fixture(scope="module")
def scored(finished: Project) -> np.ndarray:
    """The features of the first samples of a task, as its evaluation computes them."""
    root = finished.root / RESULTS
    record = read_json(root / f"evaluate/{CELL}/cifar10/provenance.json")
    settings = typed(ScoreSettings, record["settings"])
    device = torch.device("cpu")
    views = Views(open_bank(root / "banks/cifar10"), settings, statistics=None, device=device)
    encoder = read_encoder(settings, str(root / f"pretrain/{CELL}/model.safetensors"))
    return extract_features(encoder.backbone, views, np.arange(COUNT), device=device).numpy()


def test_files_have_the_features_of_the_bank(
    finished: Project, exported: Path, images: np.ndarray, scored: np.ndarray, tmp_path: Path
) -> None:
    for place, image in enumerate(images):
        Image.fromarray(image.squeeze()).save(tmp_path / f"{place:02}.png")
    features = tmp_path / "features.npz"
    size = images.shape[1]
    finished.shell(f"fedssl embed {exported} {tmp_path} --size {size} --output {features}")
    found = np.load(features)
    assert list(found["files"]) == [f"{place:02}.png" for place in range(COUNT)]
    assert found["features"].tobytes() == scored.tobytes()


def test_the_loaded_encoder_computes_them_too(
    exported: Path, images: np.ndarray, scored: np.ndarray
) -> None:
    encoder, preprocess = fedssl.load_encoder(exported)
    with torch.inference_mode():
        features = encoder.backbone(preprocess.images(images))
    # Other memory layout of the convolutions than in `extract_features`.
    np.testing.assert_allclose(features.numpy(), scored, rtol=1e-4, atol=1e-5)


def test_the_card_says_what_the_encoder_is_not(exported: Path) -> None:
    card = exported.with_suffix(".md").read_text()
    assert "**Not comparable with the papers**: trained on made-up data" in card
    assert f"| cell | {CELL} |" in card and "| cifar10 | knn |" in card
