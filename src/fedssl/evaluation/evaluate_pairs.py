"""Evaluate one encoder, or two specialists, on pairs of an image and a sound.

See fssuavl sections 4.2 and 4.3, and tables 4 and 5.
"""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from fedssl.backbones.encoder import Encoder
from fedssl.data.banks.bank import open_bank
from fedssl.data.pairing import pair_split
from fedssl.device import prepare_device
from fedssl.evaluation.features import memory_and_queries
from fedssl.evaluation.job_files import (
    read_encoder,
    read_statistics,
    score_facts,
    training_facts,
    write_score,
)
from fedssl.evaluation.paired import num_parameters, pair_features
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

    In the sample tables, `position` is the position of a pair's sound, and `image` of its image.

    Args:
        settings: settings of the job, see `PairSettings`.
        identity: the wildcards that name the checkpoint and the pairs; copied to the metric files.
        inputs: `image_bank` and `audio_bank`; `model` for one encoder, or `image_model` and
            `audio_model` for two specialists, or none for random weights; and `normalisation`.
        metrics: protocol -> JSON file to write.
    """
    own = typed(PairSettings, settings)
    device = prepare_device(own.threads, portable=own.portable)
    encoders, sounds = _encoders(own, inputs), open_bank(_folder(inputs, "audio"))
    train, scored = (_pairs(inputs, own, split=split) for split in ("train", own.split))
    features = _features(own, inputs, encoders, (train, scored), device=device)
    labels = [sounds.labels[pairs["audio"]] for pairs in (train, scored)]
    samples = {"position": scored["audio"], "image": scored["image"], "label": labels[1]}
    size = {"parameters": num_parameters(*encoders.values())}
    facts = {**identity, "seed": int(identity["seed"]), **size, **training_facts(inputs)}
    duplicates = {
        name: open_bank(_folder(inputs, name)).duplicates(scored[name], of=train[name])
        for name in encoders
    }
    for protocol, path in metrics.items():
        shown = {name: features[name] for name in KNN_SHOWS.get(protocol, encoders)}
        task = _task(protocol, shown, labels=labels, num_classes=len(sounds.classes))
        if protocol == "transfer":
            result = probe_score(task, own.linear_probe, seed=own.seed)
        else:
            result = knn_score(task, own.knn)
        result.further.update(feature_facts(task))
        how = {"modality": "+".join(shown), "protocol": protocol}
        how |= score_facts(
            result,
            memory_labels=labels[0],
            query_labels=labels[1],
            duplicates=_any(duplicates[name] for name in shown),
        )
        write_score(result, samples=samples, facts=facts | how, path=path)


def _task(
    protocol: str,
    features: Mapping[str, tuple[Tensor, Tensor]],
    *,
    labels: Sequence[np.ndarray],
    num_classes: int,
) -> Features:
    """Return the features of pairs as a task with one row per pair."""
    memory, queries = (
        pair_features(protocol, {name: parts[place] for name, parts in features.items()})
        for place in (0, 1)
    )
    memory_labels, query_labels = (torch.from_numpy(part).to(memory.device) for part in labels)
    return Features(memory, memory_labels, queries, query_labels, num_classes)


def _any(masks: Iterable[np.ndarray | None]) -> np.ndarray | None:
    """Return where any mask is true; None if one is unknown."""
    found = list(masks)
    known = [mask for mask in found if mask is not None]
    return np.any(known, axis=0) if len(known) == len(found) else None


def _folder(inputs: Mapping[str, str], modality: str) -> Path:
    return Path(inputs[f"{modality}_bank"]).parent


def _pairs(
    inputs: Mapping[str, str], settings: PairSettings, *, split: str
) -> dict[str, np.ndarray]:
    """Return modality -> positions of a split's pairs in the bank of that modality."""
    return pair_split(
        _folder(inputs, "image"),
        _folder(inputs, "audio"),
        by=settings.by,
        split=split,
        seed=settings.seed,
    )


def _features(
    settings: PairSettings,
    inputs: Mapping[str, str],
    encoders: Mapping[str, Encoder],
    pairs: tuple[Mapping[str, np.ndarray], Mapping[str, np.ndarray]],
    *,
    device: torch.device,
) -> dict[str, tuple[Tensor, Tensor]]:
    """Return modality -> features of the training pairs and of the scored pairs."""
    # Recalibration changes the encoder in place, and both modalities may share one encoder. So
    # finish one modality before starting the next.
    train, scored = pairs
    found = {}
    for name, encoder in encoders.items():
        bank, statistics = open_bank(_folder(inputs, name)), read_statistics(inputs)
        found[name] = memory_and_queries(
            encoder.backbone,
            Views(bank, settings, statistics=statistics, device=device),
            train[name],
            scored[name],
            recalibrate=settings.recalibrate_batch_norm,
            device=device,
        )
    return found


def _encoders(settings: PairSettings, inputs: Mapping[str, str]) -> dict[str, Encoder]:
    """Return modality -> encoder; all modalities share one encoder unless there are specialists."""
    if "image_model" in inputs:
        return {
            name: read_encoder(settings, inputs[f"{name}_model"]) for name in settings.modalities
        }
    return dict.fromkeys(settings.modalities, read_encoder(settings, inputs.get("model")))
