"""Audio-visual evaluation jobs: one checkpoint, or two specialists, on pairs (tables 4, 5)."""

from collections.abc import Mapping
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
from fedssl.evaluation.job_files import read_encoder, read_statistics, write_score
from fedssl.evaluation.paired import num_parameters, pair_features
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
    """Score a checkpoint on pairs, by every protocol in `metrics` (protocol -> file).

    `inputs["model"]` is the encoder of all `settings.modalities`; two specialists come as
    `image_model` and `audio_model`; without any, the encoder is the random one of round 0.
    Features are computed once a modality, of the paired samples only. In the sample tables a
    pair's `position` is that of its sound, and `image` that of its image.
    """
    own = typed(PairSettings, settings)
    device = prepare_device(own.threads)
    encoders, sounds = _encoders(own, inputs), open_bank(_folder(inputs, "audio"))
    train, scored = (_pairs(inputs, own, split=s) for s in ("train", own.split))
    both = _features(own, inputs, encoders, (train, scored), device=device)
    memory, queries = ({name: part[place] for name, part in both.items()} for place in (0, 1))
    facts = {
        **identity,
        "seed": int(identity["seed"]),
        "parameters": num_parameters(*encoders.values()),
    }
    labels = sounds.labels[scored["audio"]]
    samples = {"position": scored["audio"], "image": scored["image"], "label": labels}
    for protocol, path in metrics.items():
        shown = KNN_SHOWS.get(protocol, tuple(encoders))
        features = Features(
            memory=pair_features(protocol, {name: memory[name] for name in shown}),
            memory_labels=torch.from_numpy(sounds.labels[train["audio"]]).to(device),
            queries=pair_features(protocol, {name: queries[name] for name in shown}),
            query_labels=torch.from_numpy(labels).to(device),
            num_classes=len(sounds.classes),
        )
        if protocol == "transfer":
            result = probe_score(features, own.linear_probe, seed=own.seed)
        else:
            result = knn_score(features, own.knn)
        how = {"modality": "+".join(shown), "protocol": protocol}
        write_score(result, samples=samples, facts=facts | how, path=path)


def _folder(inputs: Mapping[str, str], modality: str) -> Path:
    return Path(inputs[f"{modality}_bank"]).parent


def _pairs(
    inputs: Mapping[str, str], settings: PairSettings, *, split: str
) -> dict[str, np.ndarray]:
    """Return the positions of a split's pairs in the bank of each modality."""
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
    """Return the features of training and of scored pairs, of each modality with an encoder.

    One modality after the other: an encoder of both may recalibrate its batch norm for each.
    """
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
    """Return the encoder of each modality in use: one for all of them, or a specialist each."""
    if "image_model" in inputs:
        return {
            name: read_encoder(settings, inputs[f"{name}_model"]) for name in settings.modalities
        }
    return dict.fromkeys(settings.modalities, read_encoder(settings, inputs.get("model")))
