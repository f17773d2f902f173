"""Fine-tuning on pairs, with one shared encoder and one linear layer."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from fedssl.backbones.encoder import initialise
from fedssl.evaluation.fine_tune import Classifier, fine_tune, predict
from fedssl.evaluation.fine_tune_pairs import fine_tune_pairs
from fedssl.evaluation.pairs import open_pairs
from fedssl.evaluation.settings import FineTunePairSettings
from fedssl.files import read_json
from fedssl.paper.metrics import read_metric
from fedssl.typed import typed
from fedssl.views.fine_tune import FineTuneViews
from tests.unit.test_evaluate_pairs import IDENTITY, SOUNDS, inputs
from tests.unit.test_evaluate_pairs import SETTINGS as PAIRS

__all__ = ["inputs"]  # the fixture
CPU = torch.device("cpu")
TRAINING = {"epochs": 2, "lr": 0.01, "milestones": [0.6], "decay": 0.1, "batch_size": 16}
SETTINGS = {
    **{key: PAIRS[key] for key in PAIRS if key not in ("knn", "linear-probe")},
    "fine-tune": {
        **TRAINING,
        "momentum": 0.9,
        "weight_decay": 1e-4,
        "augmentation": {"crop": 1.0, "flip_probability": 0.0},
    },
    "precision": "fp32",
}
del SETTINGS["recalibrate_batch_norm"]


def run(folder: Path, inputs: dict[str, str], *, model: str | None = "a", **changes: Any):
    """Return the score file of a job, and its samples as the tables read them."""
    data = {key: path for key, path in inputs.items() if "bank" in key or key == "normalisation"}
    given = data | ({"model": inputs[model]} if model else {})
    path = str(folder / "fine-tune.json")
    fine_tune_pairs(
        SETTINGS | changes,
        identity=IDENTITY,
        inputs=given,
        metric=path,
        state=str(folder / "state"),
    )
    metric = read_metric(path, task="mnist-fsdd", protocol="fine-tune")
    return read_json(path), pd.read_parquet(metric.predictions)


def test_the_logits_of_a_pair_are_the_mean_of_those_of_its_image_and_its_sound() -> None:
    backbone = initialise(0, arch="resnet18", width=8, embedding_dim=16).backbone
    model = Classifier(backbone, nn.Linear(64, 10)).eval()
    rng = torch.Generator().manual_seed(0)
    image, sound = (torch.randn(4, 3, 32, 32, generator=rng) for _ in range(2))
    with torch.no_grad():
        together, apart = model(image, sound), (model(image) + model(sound)) / 2
    torch.testing.assert_close(together, apart)


def test_it_learns_pairs_from_both_parts(inputs, tmp_path) -> None:
    own = typed(FineTunePairSettings, SETTINGS)
    pairs = open_pairs(own, inputs, device=CPU)
    statistics = read_json(inputs["normalisation"])
    views = [
        FineTuneViews(pairs.banks[name], own, statistics=statistics, device=CPU)
        for name in ("image", "audio")
    ]
    train = [pairs.train[name] for name in ("image", "audio")]
    model = fine_tune(
        initialise(0, **SETTINGS["encoder"]),
        views,
        indices=train,
        settings=replace(own.fine_tune, epochs=40, milestones=(), batch_size=99),
        precision="fp32",
        seed=0,
        device=CPU,
    )
    found = predict(model, views, train, device=CPU).numpy()
    assert np.mean(found == pairs.train_labels) == 1.0
    # The parts of a pair are used: with the images of other pairs, some predictions change.
    swapped = predict(model, views, [train[0][::-1].copy(), train[1]], device=CPU).numpy()
    assert (swapped != found).any()


def test_every_pair_is_scored_with_what_a_reader_needs_to_judge_it(inputs, tmp_path) -> None:
    score, samples = run(tmp_path, inputs)
    assert score["n_eval"] == len(samples) == SOUNDS["test"]
    assert score["value"] == pytest.approx(100 * (samples["prediction"] == samples["label"]).mean())
    assert score["modality"] == "image+audio" and score["chance"] == pytest.approx(10, abs=5)
    assert {"position", "image", "label", "prediction"} == set(samples.columns)
    again, same = run(tmp_path / "again", inputs)
    assert again == score and same.equals(samples)


def test_a_specialist_is_trained_on_its_own_modality_alone(inputs, tmp_path) -> None:
    score, samples = run(tmp_path / "image", inputs, modalities=["image"])
    assert score["modality"] == "image"
    silent = {key: path for key, path in inputs.items() if key != "normalisation"}
    _, without = run(tmp_path / "silent", silent, modalities=["image"])
    assert samples.equals(without), "an image specialist needs no statistics of sounds"
    _, both = run(tmp_path / "both", inputs)
    assert not samples.equals(both)


def test_without_a_model_training_starts_from_the_random_encoder(inputs, tmp_path) -> None:
    score, samples = run(tmp_path / "random", inputs, model=None)
    _, trained = run(tmp_path / "trained", inputs)
    assert "backbone_change" not in score
    assert not samples.equals(trained)
