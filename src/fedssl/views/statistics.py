"""Compute the mean and standard deviation of a pretraining set's log-mel images."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from fedssl.data.banks.bank import Bank
from fedssl.errors import UserError
from fedssl.files import write_json
from fedssl.randomness import stream
from fedssl.typed import typed
from fedssl.views.audio import log_mel
from fedssl.views.bank_views import crop_clips
from fedssl.views.settings import Audio

_BATCH = 256
_SMALLEST_STD = 1e-6


def write_statistics(bank: Bank, path: str | Path, *, audio: Mapping[str, Any]) -> None:
    """Write the statistics of a bank's training split as JSON: `mean`, `std` and `clips`.

    They are computed over random crops of `statistics_clips` clips.
    """
    # paper: normalisation not stated; here: one mean and standard deviation of the pretraining
    # set, used for every audio dataset, because the encoder was trained with these inputs.
    # The stream does not depend on the seed, so that the statistics are equal for all seeds.
    own = typed(Audio, audio)
    rng = stream(0, f"spectrogram statistics of {bank.dataset}")
    train = rng.permutation(bank.indices("train"))[: own.statistics_clips]
    total = square = count = 0.0
    for start in range(0, len(train), _BATCH):
        frames = crop_clips(bank, train[start : start + _BATCH], audio=own, rng=rng).read(bank.rows)
        # Sum in float64: a million float32 terms would lose digits of the variance.
        mel = log_mel(torch.as_tensor(frames), audio=own).double()
        total += float(mel.sum())
        square += float(mel.square().sum())
        count += mel.numel()
    mean = total / count
    # Rounding can make the variance of equal values negative.
    std = max(square / count - mean**2, 0.0) ** 0.5
    if not std > _SMALLEST_STD:
        raise UserError(
            f"the {len(train)} training clips of {bank.dataset} that were sampled have log-mel "
            f"images with a standard deviation of {std:.3g}, so they cannot be normalised; are "
            "they all silent?"
        )
    write_json(path, {"mean": mean, "std": std, "clips": len(train)})
