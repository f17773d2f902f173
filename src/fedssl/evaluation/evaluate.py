"""One evaluation job: features once, then every protocol that needs only features."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from fedssl.backbones.encoder import initialise
from fedssl.data.bank import Bank, open_bank
from fedssl.device import prepare_device
from fedssl.evaluation.features import extract_features, load_backbone
from fedssl.evaluation.knn import knn_predict
from fedssl.federation.checkpoint import load_state
from fedssl.files import atomic_write, read_json, write_json
from fedssl.views.samples import Views


def evaluate(
    settings: Mapping[str, Any],
    *,
    identity: Mapping[str, str],
    model: str | None,
    bank: str,
    normalisation: str | None,
    knn: str,
    predictions: str,
) -> None:
    """Score one checkpoint on one task; write the metric and the prediction of every sample.

    Without `model` the encoder is the random one of round 0, which every pretrained encoder of
    the same seed started from. `bank` is the bank.json of the task; `identity` says what is scored
    and goes into the metric file.
    """
    device = prepare_device(settings["threads"])
    opened = open_bank(Path(bank).parent)
    encoder = initialise(settings["seed"], **settings["encoder"])
    if model is not None:
        load_backbone(load_state(model), encoder)
    statistics = read_json(normalisation) if normalisation else None
    views = Views(opened, settings, statistics=statistics, device=device)
    train, scored = opened.indices("train"), opened.indices(settings["split"])
    memory = extract_features(encoder.backbone, views, train, device=device)
    queries = extract_features(encoder.backbone, views, scored, device=device)
    predicted = knn_predict(
        queries,
        memory,
        bank_labels=torch.from_numpy(opened.labels[train]).to(device),
        num_classes=len(opened.classes),
        **settings["knn"],
    )
    _write_predictions(opened, scored, predicted.cpu().numpy(), path=predictions)
    correct = predicted.cpu().numpy() == opened.labels[scored]
    metric = {
        **identity,
        "seed": settings["seed"],
        "modality": opened.modality,
        "protocol": "knn",
        "metric": "top-1 accuracy",
        "value": 100.0 * float(correct.mean()),
        "n_eval": len(scored),
        "predictions": Path(predictions).name,
    }
    write_json(knn, metric)


def _write_predictions(
    bank: Bank, positions: np.ndarray, predicted: np.ndarray, *, path: str
) -> None:
    """Write one row a scored sample: its position in the bank, its label and the prediction."""
    frame = pd.DataFrame(
        {"position": positions, "label": bank.labels[positions], "prediction": predicted}
    )
    with atomic_write(path) as temporary:
        frame.to_parquet(temporary, index=False)
