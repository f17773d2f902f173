"""Rehearse the jobs that score checkpoints: a few real batches through a random encoder."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from fedssl.data.banks.bank import Bank, open_bank
from fedssl.device import prepare_device
from fedssl.evaluation.evaluate import write_scores
from fedssl.evaluation.features import extract_features
from fedssl.evaluation.fine_tune import Classifier, fine_tune, predict
from fedssl.evaluation.job_files import read_encoder, read_statistics
from fedssl.evaluation.plausibility import feature_facts
from fedssl.evaluation.protocols import Features, probe_score, task_hits
from fedssl.evaluation.settings import FineTuneSettings, RoundSettings, ScoreSettings, TaskSettings
from fedssl.randomness import stream
from fedssl.rehearsal.meter import Meter
from fedssl.rehearsal.rates import Rate
from fedssl.typed import typed
from fedssl.views.bank_views import Views
from fedssl.views.fine_tune import FineTuneViews

_BATCH = 256  # of `extract_features`
_BATCHES = 4
_EPOCHS = 2  # of the linear probe
_PROTOCOLS = ("knn", "linear-probe", "retrieval")


def rehearse_evaluation(
    settings: Mapping[str, Any], *, inputs: Mapping[str, str], folder: Path, of: Mapping[str, Any]
) -> list[Rate]:
    """Return the rate of `evaluate`: real batches, and protocols on features of the task's size.

    The features that are scored are random numbers, because all features of a task would take as
    long as the job itself. The linear probe trains for two epochs and counts for all.

    Args:
        settings: settings of the job (`ScoreSettings`).
        inputs: `bank` and, for audio, `normalisation`.
        folder: folder for metric files.
        of: the fields of `Rate` that name the job.
    """
    own = typed(ScoreSettings, settings)
    device = prepare_device(own.threads, portable=own.portable)
    rate, features, bank = _embedding(own, inputs, device=device, of=of)
    short = replace(own, linear_probe=replace(own.linear_probe, epochs=_EPOCHS))
    with Meter(device) as scoring:
        write_scores(
            features,
            bank,
            short,
            positions=bank.indices(own.split),
            facts={},
            identity={"seed": str(own.seed)},
            metrics={name: str(folder / f"{name}.json") for name in _PROTOCOLS},
        )
    with Meter(device) as probing:
        probe_score(features, short.linear_probe, seed=own.seed)
    further = probing.seconds * (own.linear_probe.epochs / _EPOCHS - 1)
    return [replace(rate, fixed_seconds=round(scoring.seconds + further, 6))]


def rehearse_rounds(
    settings: Mapping[str, Any], *, inputs: Mapping[str, str], of: Mapping[str, Any]
) -> list[Rate]:
    """Return the rate of `score_rounds` for one model, see `rehearse_evaluation`."""
    own = typed(RoundSettings, settings)
    device = prepare_device(own.threads, portable=own.portable)
    rate, features, _ = _embedding(own, inputs, device=device, of=of)
    with Meter(device) as scoring:
        task_hits(features, ks=own.retrieval.ks)
        feature_facts(features)
    return [replace(rate, fixed_seconds=round(scoring.seconds, 6))]


def rehearse_fine_tuning(
    settings: Mapping[str, Any], *, inputs: Mapping[str, str], of: Mapping[str, Any]
) -> list[Rate]:
    """Return the rate of `fine_tune`: one epoch on a few batches, after another that warms up."""
    own = typed(FineTuneSettings, settings)
    device = prepare_device(own.threads, precision=own.precision, portable=own.portable)
    meter = Meter(device)
    bank = open_bank(Path(inputs["bank"]).parent, device=device)
    views = FineTuneViews(bank, own, statistics=read_statistics(inputs), device=device)
    train, scored = bank.indices("train"), bank.indices(own.split)
    some = _spread(train, _BATCHES * own.fine_tune.batch_size)
    encoder = read_encoder(own, None)

    def epoch() -> Classifier:
        return fine_tune(
            encoder,
            [views],
            indices=[some],
            settings=replace(own.fine_tune, epochs=1),
            precision=own.precision,
            seed=own.seed,
            device=device,
        )

    epoch()
    with meter:
        model = epoch()
    queries = _spread(scored, _BATCHES * _BATCH)
    with Meter(device) as predicting:
        predict(model, [views], [queries], device=device)
    rate = meter.rate(
        {**of, "precision": own.precision},
        modality=bank.modality,
        samples=len(train),
        steps=-(-len(some) // own.fine_tune.batch_size),
        passed=len(some),
        warm_up=meter.seconds,
        fixed_seconds=predicting.seconds * len(scored) / len(queries),
    )
    return [rate]


def _embedding(
    own: TaskSettings, inputs: Mapping[str, str], *, device: torch.device, of: Mapping[str, Any]
) -> tuple[Rate, Features, Bank]:
    """Return the rate of computing a task's features, random features of its size, and its bank."""
    meter = Meter(device)
    bank = open_bank(Path(inputs["bank"]).parent, device=device)
    encoder = read_encoder(own, None)
    views = Views(bank, own, statistics=read_statistics(inputs), device=device)
    everything = np.concatenate([bank.indices("train"), bank.indices(own.split)])
    some = _spread(everything, _BATCHES * _BATCH)
    extract_features(encoder.backbone, views, some[:_BATCH], device=views.device)
    with meter:
        extract_features(encoder.backbone, views, some, device=views.device)
    steps = -(-len(some) // _BATCH)
    rate = meter.rate(
        of,
        modality=bank.modality,
        samples=len(everything),
        steps=steps,
        passed=len(some),
        warm_up=meter.seconds / steps,
    )
    return rate, _made_up(bank, own.split, encoder.num_features, device=device), bank


def _spread(positions: np.ndarray, count: int) -> np.ndarray:
    """Return up to `count` positions, evenly spread and sorted."""
    places = np.linspace(0, len(positions) - 1, min(count, len(positions))).astype(int)
    return np.sort(positions[places])


def _made_up(bank: Bank, split: str, dim: int, *, device: torch.device) -> Features:
    """Return random features with the sizes and labels of a task."""
    rng = stream(0, "rehearsal")

    def features(split: str) -> tuple[torch.Tensor, torch.Tensor]:
        labels = torch.from_numpy(bank.labels[bank.indices(split)])
        made = torch.from_numpy(rng.standard_normal((len(labels), dim), dtype=np.float32))
        return made.to(device), labels.to(device)

    (memory, memory_labels), (queries, query_labels) = features("train"), features(split)
    return Features(memory, memory_labels, queries, query_labels, len(bank.classes))
