"""Read the inputs of evaluation jobs, and write their scores."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from fedssl.backbones.encoder import Encoder, initialise
from fedssl.data.banks.bank import Bank
from fedssl.evaluation.epoch_checkpoints import EpochCheckpoints
from fedssl.evaluation.features import load_backbone
from fedssl.evaluation.plausibility import chance, duplicate_facts
from fedssl.evaluation.protocols import Score
from fedssl.evaluation.settings import JobSettings
from fedssl.federation.checkpoint import checkpoint_folder, load_state, read_training
from fedssl.files import atomic_write, read_json, write_json


def read_encoder(settings: JobSettings, model: str | None) -> Encoder:
    """Return the encoder of a checkpoint, or the random encoder of round 0 if `model` is None."""
    encoder = initialise(settings.seed, **settings.encoder)
    if model is not None:
        load_backbone(load_state(model), encoder)
    return encoder


def checkpoints_of(inputs: Mapping[str, str], *, state: str) -> EpochCheckpoints:
    """Return the checkpoints of a training with these inputs, in a folder of their own."""
    return EpochCheckpoints(checkpoint_folder(state, inputs))


def training_facts(inputs: Mapping[str, str]) -> dict[str, Any]:
    """Return the facts of the training of a job's models, for its score files.

    Of two specialists, updates are summed and the smaller change of a backbone counts. Without a
    model, there are none.
    """
    models = [path for name, path in inputs.items() if name.endswith("model")]
    found = [read_training(path) for path in models]
    facts: dict[str, Any] = {}
    for name, combine in (("updates", sum), ("dropped_updates", sum), ("backbone_change", min)):
        values = [own[name] for own in found if name in own]
        if values:
            facts[name] = combine(values)
    return facts


def read_statistics(inputs: Mapping[str, str]) -> dict[str, float] | None:
    """Return the spectrogram statistics of a job; None for a job without audio."""
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
    """Write the score of the samples at `positions` of a bank, see `write_score`."""
    facts = {
        **identity,
        "seed": int(identity["seed"]),
        "modality": bank.modality,
        "protocol": protocol,
    }
    samples = {"position": positions, "label": bank.labels[positions]}
    train = bank.indices("train")
    facts["absent"] = bank.absent
    facts |= score_facts(
        result,
        memory_labels=bank.labels[train],
        query_labels=bank.labels[positions],
        duplicates=bank.duplicates(positions, of=train),
    )
    write_score(result, samples=samples, facts=facts, path=path)


def score_facts(
    result: Score,
    *,
    memory_labels: np.ndarray,
    query_labels: np.ndarray,
    duplicates: np.ndarray | None,
) -> dict[str, Any]:
    """Return what a reader needs to judge a score: chance, and the effect of duplicates."""
    return {
        "chance": chance(memory_labels, query_labels, k=result.k),
        **duplicate_facts(result.correct, duplicates),
    }


def write_score(
    result: Score,
    *,
    samples: Mapping[str, np.ndarray],
    facts: Mapping[str, Any],
    path: str,
) -> None:
    """Write a metric file, and a Parquet table of the same name with one row per scored sample.

    Args:
        result: score to write.
        samples: columns that identify the scored samples, such as position and label.
        facts: further entries of the metric file, such as seed, task, modality and protocol.
        path: JSON file to write.
    """
    # Write the table first: a metric file then always has its table.
    predictions = Path(path).with_suffix(".parquet")
    with atomic_write(predictions) as temporary:
        pd.DataFrame({**samples, **result.columns}).to_parquet(temporary, index=False)
    metric = {
        **facts,
        **result.further,
        "metric": result.metric,
        "value": result.value,
        "n_eval": len(samples["position"]),
        # Only the name, not the path: a results folder may be moved.
        "predictions": predictions.name,
    }
    write_json(path, metric)
