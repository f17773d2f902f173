"""Evaluate one encoder, or two specialists, on pairs of an image and a sound.

See fssuavl sections 4.2 and 4.3, and tables 4 and 5.
"""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from fedssl.backbones.encoder import Encoder
from fedssl.device import prepare_device
from fedssl.evaluation.features import memory_and_queries
from fedssl.evaluation.job_files import read_encoder, read_statistics, training_facts
from fedssl.evaluation.paired import num_parameters, pair_features
from fedssl.evaluation.pairs import Pairs, open_pairs, write_pair_score
from fedssl.evaluation.plausibility import feature_facts
from fedssl.evaluation.protocols import Features, knn_score, probe_score
from fedssl.evaluation.settings import PairSettings
from fedssl.grid.paired_protocols import KNN_SHOWS
from fedssl.typed import typed
from fedssl.views.bank_views import Views


def evaluate_pairs(
    settings: Mapping[str, Any],
    *,
    identity: Mapping[str, str],
    inputs: Mapping[str, str],
    metrics: Mapping[str, str],
) -> None:
    """Score a checkpoint, or two specialists, on pairs with each protocol in `metrics`.

    Args:
        settings: settings of the job, see `PairSettings`.
        identity: the wildcards that name the checkpoint and the pairs; copied to the metric files.
        inputs: `image_bank` and `audio_bank`; `model` for one encoder, or `image_model` and
            `audio_model` for two specialists, or none for random weights; and `normalisation`.
        metrics: protocol -> JSON file to write.
    """
    own = typed(PairSettings, settings)
    device = prepare_device(own.threads, portable=own.portable)
    encoders, pairs = _encoders(own, inputs), open_pairs(own, inputs, device=device)
    features = _features(own, inputs, encoders, pairs, device=device)
    size = {"parameters": num_parameters(*encoders.values())}
    facts = {**identity, "seed": int(identity["seed"]), **size, **training_facts(inputs)}
    for protocol, path in metrics.items():
        shown = {name: features[name] for name in KNN_SHOWS.get(protocol, encoders)}
        task = _task(protocol, shown, pairs)
        if protocol == "transfer":
            result = probe_score(task, own.linear_probe, seed=own.seed)
        else:
            result = knn_score(task, own.knn)
        result.further.update(feature_facts(task))
        how = {**facts, "protocol": protocol}
        write_pair_score(result, pairs, shown=list(shown), facts=how, path=path)


def _task(protocol: str, features: Mapping[str, tuple[Tensor, Tensor]], pairs: Pairs) -> Features:
    """Return the features of pairs as a task with one row per pair."""
    memory, queries = (
        pair_features(protocol, {name: parts[place] for name, parts in features.items()})
        for place in (0, 1)
    )
    memory_labels, query_labels = (
        torch.from_numpy(part).to(memory.device)
        for part in (pairs.train_labels, pairs.scored_labels)
    )
    return Features(memory, memory_labels, queries, query_labels, len(pairs.classes))


def _features(
    settings: PairSettings,
    inputs: Mapping[str, str],
    encoders: Mapping[str, Encoder],
    pairs: Pairs,
    *,
    device: torch.device,
) -> dict[str, tuple[Tensor, Tensor]]:
    """Return modality -> features of the training pairs and of the scored pairs."""
    # Recalibration changes the encoder in place, and both modalities may share one encoder. So
    # finish one modality before starting the next.
    statistics = read_statistics(inputs)
    return {
        name: memory_and_queries(
            encoder.backbone,
            Views(pairs.banks[name], settings, statistics=statistics, device=device),
            pairs.train[name],
            pairs.scored[name],
            recalibrate=settings.recalibrate_batch_norm,
            device=device,
        )
        for name, encoder in encoders.items()
    }


def _encoders(settings: PairSettings, inputs: Mapping[str, str]) -> dict[str, Encoder]:
    """Return modality -> encoder; all modalities share one encoder unless there are specialists."""
    if "image_model" in inputs:
        return {
            name: read_encoder(settings, inputs[f"{name}_model"]) for name in settings.modalities
        }
    return dict.fromkeys(settings.modalities, read_encoder(settings, inputs.get("model")))
