"""Pooled backbone features of a whole split: computed once a checkpoint and task."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from fedssl.evaluation.protocols import Features
from fedssl.views.samples import Views

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
    backbone: nn.Module, views: Views, split: str, *, device: torch.device
) -> Features:
    """Return the features of a task: its training split as memory, `split` as queries."""
    bank = views.bank
    train, scored = bank.indices("train"), bank.indices(split)
    return Features(
        memory=extract_features(backbone, views, train, device=device),
        memory_labels=torch.from_numpy(bank.labels[train]).to(device),
        queries=extract_features(backbone, views, scored, device=device),
        query_labels=torch.from_numpy(bank.labels[scored]).to(device),
        num_classes=len(bank.classes),
    )


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
