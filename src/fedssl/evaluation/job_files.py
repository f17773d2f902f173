"""What evaluation jobs read and write: a checkpoint, spectrogram statistics, a score."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from fedssl.backbones.encoder import Encoder, initialise
from fedssl.data.banks.bank import Bank
from fedssl.evaluation.features import load_backbone
from fedssl.evaluation.protocols import Score
from fedssl.evaluation.settings import JobSettings
from fedssl.federation.checkpoint import load_state
from fedssl.files import atomic_write, read_json, write_json


def read_encoder(settings: JobSettings, model: str | None) -> Encoder:
    """Return the encoder of a checkpoint; without one, the random encoder of round 0."""
    encoder = initialise(settings.seed, **settings.encoder)
    if model is not None:
        load_backbone(load_state(model), encoder)
    return encoder


def read_statistics(inputs: Mapping[str, str]) -> dict[str, float] | None:
    """Return the spectrogram statistics among a job's inputs; None for a job without sound."""
    if "normalisation" not in inputs:
        return None
    statistics: dict[str, float] = read_json(inputs["normalisation"])
    return statistics


def write_metric(
    result: Score,
    bank: Bank,
    *,
    positions: np.ndarray,
    protocol: str,
    identity: Mapping[str, str],
    path: str,
) -> None:
    """Write the score of samples at some positions of a bank, as `write_score` does."""
    facts = {
        **identity,
        "seed": int(identity["seed"]),
        "modality": bank.modality,
        "protocol": protocol,
    }
    samples = {"position": positions, "label": bank.labels[positions]}
    write_score(result, samples=samples, facts=facts, path=path)


def write_score(
    result: Score,
    *,
    samples: Mapping[str, np.ndarray],
    facts: Mapping[str, Any],
    path: str,
) -> None:
    """Write a metric, and a Parquet table with the same stem and one row per scored sample.

    Args:
        result: the score.
        samples: columns of the scored samples: position in the bank, label and what else tells
            them apart.
        facts: what was scored, how: seed, task, modality, protocol and the like.
        path: where the JSON goes.
    """
    predictions = Path(path).with_suffix(".parquet")
    with atomic_write(predictions) as temporary:
        pd.DataFrame({**samples, **result.columns}).to_parquet(temporary, index=False)
    metric = {
        **facts,
        **result.further,
        "metric": result.metric,
        "value": result.value,
        "n_eval": len(samples["position"]),
        "predictions": predictions.name,
    }
    write_json(path, metric)
