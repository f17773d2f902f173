"""FASSL: score the global model of every kept round on a task, and choose a round (fassl).

The best round is chosen on the samples that its score is reported on, which flatters it. So the
choice is also made on one half of them and reported on the other, both ways: the difference
between the two is the optimism of the first.
"""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from fedssl.backbones.encoder import initialise
from fedssl.data.banks.bank import open_bank
from fedssl.device import prepare_device
from fedssl.evaluation.features import load_backbone, task_features
from fedssl.evaluation.job_files import read_statistics, write_metric
from fedssl.evaluation.protocols import recall, task_hits
from fedssl.evaluation.settings import RoundSettings
from fedssl.federation.checkpoint import load_state, save_state
from fedssl.federation.milestones import kept_rounds, milestone
from fedssl.files import atomic_write
from fedssl.randomness import stream
from fedssl.typed import typed
from fedssl.views.bank_views import Views

RANDOM_ENCODER = 0  # the round
_log = logging.getLogger(__name__)
Hits = dict[int, Tensor]  # round -> (samples, len(ks)) bool


def score_rounds(
    settings: Mapping[str, Any],
    *,
    identity: Mapping[str, str],
    inputs: Mapping[str, str],
    outputs: Mapping[str, str],
) -> None:
    """Score the models in the folder `inputs["milestones"]` by retrieval on one task.

    Writes `outputs`: `scores`, a CSV with R@k of each round; `samples`, the hits behind it as
    Parquet; `best_round` and `held_out_round`, metric files as `evaluate` writes them; and
    `best`, the model of the best round.
    """
    own = typed(RoundSettings, settings)
    ks = own.retrieval.ks
    device = prepare_device(own.threads)
    bank = open_bank(Path(inputs["bank"]).parent)
    views = Views(bank, own, statistics=read_statistics(inputs), device=device)
    hits = _hits(own, views, folder=inputs["milestones"], device=device)
    positions = bank.indices(own.split)
    _write_rounds(hits, ks, positions=positions, labels=bank.labels[positions], outputs=outputs)
    half = halves(len(positions), seed=own.seed)
    best, held_out = best_round(hits), held_out_rounds(hits, half)
    honest = held_out_hits(hits, held_out, half=half)
    for name, chosen, rounds in (
        ("best_round", hits[best], [best]),
        ("held_out_round", honest, held_out),
    ):
        result = recall(chosen, ks)
        result.further["rounds"] = list(rounds)
        write_metric(
            result,
            bank,
            positions=positions,
            protocol=name.replace("_", "-"),
            identity=identity,
            path=outputs[name],
        )
    save_state(load_state(milestone(inputs["milestones"], best)), outputs["best"])


def _hits(settings: RoundSettings, views: Views, *, folder: str, device: torch.device) -> Hits:
    """Return the hits of every kept round, features computed once a round."""
    encoder = initialise(settings.seed, **settings.encoder)
    hits = {}
    for round_number in kept_rounds(folder):
        backbone = load_backbone(load_state(milestone(folder, round_number)), encoder)
        features = task_features(
            backbone,
            views,
            settings.split,
            recalibrate=settings.recalibrate_batch_norm,
            device=device,
        )
        hits[round_number] = task_hits(features, ks=settings.retrieval.ks).cpu()
        _log.info("scored round %d", round_number)
    return hits


def best_round(hits: Hits, samples: Tensor | None = None) -> int:
    """Return the trained round with the highest R@1 on `samples` (a mask; default all).

    Of equal rounds the earliest. The random encoder is no choice unless there is nothing else.
    """
    rounds = sorted(set(hits) - {RANDOM_ENCODER}) or [RANDOM_ENCODER]
    counts = {
        r: int((h[:, 0] if samples is None else h[samples, 0]).sum()) for r, h in hits.items()
    }
    return max(rounds, key=counts.__getitem__)


def halves(samples: int, *, seed: int) -> Tensor:
    """Return (samples,) bool: a random half, the larger one of an odd number; seeded."""
    order = stream(seed, "held-out half").permutation(samples)
    return torch.from_numpy(order < (samples + 1) // 2)


def held_out_rounds(hits: Hits, half: Tensor) -> tuple[int, int]:
    """Return the rounds chosen on the half and on the rest."""
    return best_round(hits, half), best_round(hits, ~half)


def held_out_hits(hits: Hits, rounds: tuple[int, int], *, half: Tensor) -> Tensor:
    """Return (samples, len(ks)) hits: of each sample in the round that the other half chose."""
    on_half, on_rest = rounds
    return torch.where(half[:, None], hits[on_rest], hits[on_half])


def _write_rounds(
    hits: Hits,
    ks: Sequence[int],
    *,
    positions: np.ndarray,
    labels: np.ndarray,
    outputs: Mapping[str, str],
) -> None:
    scores = [
        {
            "round": r,
            "metric": f"R@{k}",
            "value": 100 * float(hit.double().mean()),
            "n_eval": len(hit),
        }
        for r, own in hits.items()
        for k, hit in zip(ks, own.unbind(1), strict=True)
    ]
    samples = [
        pd.DataFrame({"round": r, "position": positions, "label": labels}).assign(
            **{f"hit@{k}": own[:, place].numpy() for place, k in enumerate(ks)}
        )
        for r, own in hits.items()
    ]
    with atomic_write(outputs["scores"]) as temporary:
        pd.DataFrame(scores).to_csv(temporary, index=False, lineterminator="\n")
    with atomic_write(outputs["samples"]) as temporary:
        pd.concat(samples, ignore_index=True).to_parquet(temporary, index=False)
