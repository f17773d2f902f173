"""Pooled backbone features of a whole split: computed once a checkpoint and task."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim.swa_utils import update_bn

from fedssl.evaluation.protocols import Features
from fedssl.views.bank_views import Views

_BATCH = 256


@torch.inference_mode()
def extract_features(
    backbone: nn.Module, views: Views, indices: np.ndarray, *, device: torch.device
) -> Tensor:
    """Return features (len(indices), num_features) in float32 on the device, by the plain view.

    Features are what the backbone gives, before the head (spec: kNN, probe and retrieval all read
    them); batch norm uses its running statistics.
    """
    backbone = backbone.to(device).to(memory_format=torch.channels_last).eval()  # type: ignore[call-overload]
    parts = [
        backbone(views.plain(indices[start : start + _BATCH])).float()
        for start in range(0, len(indices), _BATCH)
    ]
    return torch.cat(parts)


def task_features(
    backbone: nn.Module, views: Views, split: str, *, recalibrate: bool, device: torch.device
) -> Features:
    """Return the features of a task: its training split as memory, `split` as queries."""
    bank = views.bank
    train, scored = bank.indices("train"), bank.indices(split)
    memory, queries = memory_and_queries(
        backbone, views, train, scored, recalibrate=recalibrate, device=device
    )
    return Features(
        memory=memory,
        memory_labels=torch.from_numpy(bank.labels[train]).to(device),
        queries=queries,
        query_labels=torch.from_numpy(bank.labels[scored]).to(device),
        num_classes=len(bank.classes),
    )


def memory_and_queries(
    backbone: nn.Module,
    views: Views,
    train: np.ndarray,
    scored: np.ndarray,
    *,
    recalibrate: bool,
    device: torch.device,
) -> tuple[Tensor, Tensor]:
    """Return the features of training and of scored samples, by their positions in the bank.

    With `recalibrate`, batch norm first takes its statistics from the training samples.
    """
    if recalibrate:
        recalibrate_batch_norm(backbone, views, train, device=device)
    memory = extract_features(backbone, views, train, device=device)
    return memory, extract_features(backbone, views, scored, device=device)


def recalibrate_batch_norm(
    backbone: nn.Module, views: Views, indices: np.ndarray, *, device: torch.device
) -> None:
    """Set the running statistics of batch norm to the mean over batches of these samples.

    Batches of pretraining are of one modality, and the running statistics a blend of both (spec
    section 6): this gives those of the one at hand. Without batch norm nothing changes.
    """
    backbone.to(device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    starts = range(0, len(indices) - 1, _BATCH)  # never one sample alone, which has no deviation
    update_bn((views.plain(indices[start : start + _BATCH]) for start in starts), backbone)


def load_backbone(state: Mapping[str, Tensor], encoder: nn.Module) -> nn.Module:
    """Return the encoder's backbone with the `backbone.` tensors of a state dict in it."""
    backbone: nn.Module = encoder.backbone  # type: ignore[assignment]
    prefix = "backbone."
    own: dict[str, Any] = {
        name.removeprefix(prefix): tensor
        for name, tensor in state.items()
        if name.startswith(prefix)
    }
    backbone.load_state_dict(own)
    return backbone
