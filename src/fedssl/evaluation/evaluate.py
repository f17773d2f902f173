"""Evaluate one checkpoint on one task, from frozen features or by fine-tuning."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from fedssl.data.banks.bank import Bank, open_bank
from fedssl.device import prepare_device
from fedssl.evaluation import fine_tune as tuning
from fedssl.evaluation.features import task_features
from fedssl.evaluation.job_files import (
    checkpoints_of,
    read_encoder,
    read_statistics,
    training_facts,
    write_metric,
)
from fedssl.evaluation.plausibility import feature_facts
from fedssl.evaluation.protocols import (
    Features,
    Score,
    knn_score,
    probe_score,
    recall,
    task_hits,
    top1,
)
from fedssl.evaluation.settings import FineTuneSettings, RecalibratedSettings, ScoreSettings
from fedssl.typed import typed
from fedssl.views.bank_views import Views
from fedssl.views.fine_tune import FineTuneViews


def evaluate(
    settings: Mapping[str, Any],
    *,
    identity: Mapping[str, str],
    inputs: Mapping[str, str],
    metrics: Mapping[str, str],
) -> None:
    """Score one checkpoint on one task with each protocol in `metrics`.

    Each metric file gets a Parquet table of the same name next to it, with one row per sample.

    Args:
        settings: settings of the job, see `ScoreSettings`.
        identity: the wildcards that name the checkpoint and the task; copied to the metric files.
        inputs: `bank` is the bank.json of the task. `model` is the checkpoint; without it, the
            encoder has the random weights from which pretraining starts. `normalisation` is the
            file of the spectrogram statistics, for audio.
        metrics: protocol -> JSON file to write.
    """
    own = typed(ScoreSettings, settings)
    device = prepare_device(own.threads, portable=own.portable)
    bank = open_bank(Path(inputs["bank"]).parent, device=device)
    views = Views(bank, own, statistics=read_statistics(inputs), device=device)
    encoder = read_encoder(own, inputs.get("model"))
    scored = bank.indices(own.split)
    # One job for all protocols: computing features takes much longer than scoring them.
    features = task_features(
        encoder.backbone,
        views,
        own.split,
        recalibrate=own.recalibrate_batch_norm,
        device=device,
    )
    write_scores(
        features,
        bank,
        own,
        positions=scored,
        facts=training_facts(inputs),
        identity=identity,
        metrics=metrics,
    )


def write_scores(
    features: Features,
    bank: Bank,
    settings: ScoreSettings,
    *,
    positions: np.ndarray,
    facts: Mapping[str, Any],
    identity: Mapping[str, str],
    metrics: Mapping[str, str],
) -> None:
    """Score the features of a task with each protocol in `metrics`, and write the metric files.

    `positions` are those of the queries in the bank, and `facts` those of the checkpoint's
    training; for the rest, see `evaluate`.
    """
    facts = feature_facts(features) | dict(facts)
    for protocol, path in metrics.items():
        result = _score(protocol, features, settings)
        result.further.update(facts)
        write_metric(
            result, bank, positions=positions, protocol=protocol, identity=identity, path=path
        )


def _score(protocol: str, features: Features, settings: ScoreSettings) -> Score:
    if protocol == "knn":
        return knn_score(features, settings.knn)
    if protocol == "linear-probe":
        return probe_score(features, settings.linear_probe, seed=settings.seed)
    ks = settings.retrieval.ks
    return recall(task_hits(features, ks=ks), ks)


def evaluate_recalibrated(
    settings: Mapping[str, Any],
    *,
    identity: Mapping[str, str],
    inputs: Mapping[str, str],
    metric: str,
) -> None:
    """Score one checkpoint by kNN after batch norm took its statistics from the task.

    Under the batch order `alternate`, an epoch ends on audio, so an encoder of both modalities sees
    images with statistics that are mostly of spectrograms. The arguments are those of `evaluate`,
    with `RecalibratedSettings` and a single JSON file, `metric`.
    """
    own = typed(RecalibratedSettings, settings)
    device = prepare_device(own.threads, portable=own.portable)
    bank = open_bank(Path(inputs["bank"]).parent, device=device)
    views = Views(bank, own, statistics=read_statistics(inputs), device=device)
    backbone = read_encoder(own, inputs.get("model")).backbone
    features = task_features(backbone, views, own.split, recalibrate=True, device=device)
    result = knn_score(features, own.knn)
    result.further.update(feature_facts(features) | training_facts(inputs))
    scored = bank.indices(own.split)
    write_metric(
        result, bank, positions=scored, protocol="knn-recalibrated", identity=identity, path=metric
    )


def fine_tune(
    settings: Mapping[str, Any],
    *,
    identity: Mapping[str, str],
    inputs: Mapping[str, str],
    metric: str,
    state: str,
) -> dict[str, Any]:
    """Fine-tune one checkpoint on one task end to end, and score the result.

    The arguments are those of `evaluate`, with `FineTuneSettings` and a single JSON file, `metric`.
    A training that was interrupted continues from the checkpoints in the folder `state`. They stay:
    the caller removes them once the job is recorded.

    Returns:
        The facts for the provenance record.
    """
    own = typed(FineTuneSettings, settings)
    device = prepare_device(own.threads, precision=own.precision, portable=own.portable)
    bank = open_bank(Path(inputs["bank"]).parent, device=device)
    views = [FineTuneViews(bank, own, statistics=read_statistics(inputs), device=device)]
    checkpoints = checkpoints_of(inputs, state=state)
    model = tuning.fine_tune(
        read_encoder(own, inputs.get("model")),
        views,
        indices=[bank.indices("train")],
        settings=own.fine_tune,
        precision=own.precision,
        seed=own.seed,
        device=device,
        checkpoints=checkpoints,
    )
    scored = bank.indices(own.split)
    predicted = tuning.predict(model, views, [scored], device=device).cpu()
    result = top1(predicted, torch.from_numpy(bank.labels[scored]))
    result.further.update(training_facts(inputs))
    write_metric(
        result, bank, positions=scored, protocol="fine-tune", identity=identity, path=metric
    )
    return checkpoints.facts()
