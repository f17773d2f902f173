"""Evaluation jobs: one checkpoint on one task."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from fedssl.backbones.encoder import Encoder, initialise
from fedssl.data.bank import Bank, open_bank
from fedssl.device import prepare_device
from fedssl.evaluation import fine_tune as tuning
from fedssl.evaluation.features import extract_features, load_backbone
from fedssl.evaluation.protocols import Features, Score, score, top1
from fedssl.federation.checkpoint import load_state
from fedssl.files import atomic_write, read_json, write_json
from fedssl.views.light import LightViews
from fedssl.views.samples import Views


def evaluate(
    settings: Mapping[str, Any],
    *,
    identity: Mapping[str, str],
    inputs: Mapping[str, str],
    metrics: Mapping[str, str],
) -> None:
    """Score one checkpoint on one task, by every protocol in `metrics` (protocol -> file).

    Features are computed once. Without `inputs["model"]` the encoder is the random one of round
    0, which every pretrained encoder of the same seed started from. `inputs["bank"]` is the
    bank.json of the task; `identity` says what is scored and goes into the metric files. Beside
    each file lies a Parquet table of the same name, a row for every scored sample.
    """
    device = prepare_device(settings["threads"])
    bank = open_bank(Path(inputs["bank"]).parent)
    views = Views(bank, settings, statistics=_statistics(inputs), device=device)
    encoder = _encoder(settings, inputs)
    train, scored = bank.indices("train"), bank.indices(settings["split"])
    features = Features(
        memory=extract_features(encoder.backbone, views, train, device=device),
        memory_labels=torch.from_numpy(bank.labels[train]).to(device),
        queries=extract_features(encoder.backbone, views, scored, device=device),
        query_labels=torch.from_numpy(bank.labels[scored]).to(device),
        num_classes=len(bank.classes),
    )
    for protocol, path in metrics.items():
        result = score(protocol, features, settings)
        _write(result, bank, scored, protocol=protocol, identity=identity, path=path)


def fine_tune(
    settings: Mapping[str, Any],
    *,
    identity: Mapping[str, str],
    inputs: Mapping[str, str],
    metric: str,
) -> None:
    """Fine-tune one checkpoint on one task, end to end, and write what `evaluate` writes."""
    device = prepare_device(settings["threads"])
    bank = open_bank(Path(inputs["bank"]).parent)
    views = LightViews(bank, settings, statistics=_statistics(inputs), device=device)
    model = tuning.fine_tune(
        _encoder(settings, inputs),
        views,
        indices=bank.indices("train"),
        settings=settings["fine-tune"],
        precision=settings["precision"],
        seed=settings["seed"],
        device=device,
    )
    scored = bank.indices(settings["split"])
    predicted = tuning.predict(model, views, scored, device=device).cpu()
    result = top1(predicted, torch.from_numpy(bank.labels[scored]))
    _write(result, bank, scored, protocol="fine-tune", identity=identity, path=metric)


def _encoder(settings: Mapping[str, Any], inputs: Mapping[str, str]) -> Encoder:
    encoder = initialise(settings["seed"], **settings["encoder"])
    if "model" in inputs:
        load_backbone(load_state(inputs["model"]), encoder)
    return encoder


def _statistics(inputs: Mapping[str, str]) -> dict[str, float] | None:
    if "normalisation" not in inputs:
        return None
    statistics: dict[str, float] = read_json(inputs["normalisation"])
    return statistics


def _write(
    result: Score,
    bank: Bank,
    positions: np.ndarray,
    *,
    protocol: str,
    identity: Mapping[str, str],
    path: str,
) -> None:
    """Write the metric, and beside it one row a scored sample: its position in the bank first."""
    predictions = Path(path).with_suffix(".parquet")
    columns = {"position": positions, "label": bank.labels[positions], **result.columns}
    with atomic_write(predictions) as temporary:
        pd.DataFrame(columns).to_parquet(temporary, index=False)
    metric = {
        **identity,
        "seed": int(identity["seed"]),
        "modality": bank.modality,
        "protocol": protocol,
        "metric": result.metric,
        "value": result.value,
        "n_eval": len(positions),
        "predictions": predictions.name,
    }
    write_json(path, metric)
