"""The linear probe: one linear layer on frozen pooled features (fssuavl section 3.4, L.P)."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from fedssl.errors import UserError
from fedssl.evaluation.supervised import check_labels, linear_layer, train
from fedssl.randomness import stream


def fit_probe(
    features: Tensor,
    labels: Tensor,
    *,
    num_classes: int,
    settings: Mapping[str, Any],
    seed: int,
) -> nn.Linear:
    """Return the probe of the last epoch, in float32 on the features' device.

    The encoder has run once, in evaluation mode: nothing here reaches it.
    paper: torch's initial weights; here: zeros, because the problem is convex and no class should
    start ahead of another.

    Args:
        features: (samples, dim) pooled features of the training split.
        labels: (samples,) classes in [0, num_classes).
        num_classes: Number of classes.
        settings: epochs, lr, milestones, decay, batch_size, momentum and weight_decay.
        seed: Of the shuffling.

    Raises:
        UserError: A shape, a label or a feature is out of range, or training diverged.
    """
    _check(features, labels, num_classes=num_classes)
    inputs, targets = features.float(), labels.to(features.device, torch.int64)
    probe = linear_layer(inputs.shape[1], num_classes).to(inputs.device)

    def loss_of(batch: np.ndarray) -> Tensor:
        chosen = torch.from_numpy(batch).to(inputs.device)
        return cross_entropy(probe(inputs[chosen]), targets[chosen])

    rng = stream(seed, "linear probe")
    train(probe, loss_of, count=len(targets), settings=settings, rng=rng)
    return probe


@torch.no_grad()
def predict(probe: nn.Linear, features: Tensor) -> Tensor:
    """Return the class of each row of features, (samples,) int64."""
    predicted: Tensor = probe(features.float()).argmax(dim=1)
    return predicted


def _check(features: Tensor, labels: Tensor, *, num_classes: int) -> None:
    if features.ndim != 2:
        shape = tuple(features.shape)
        raise UserError(f"Linear probe: features are {shape}; they must be (samples, dim).")
    check_labels(labels, samples=len(features), num_classes=num_classes)
    if not features.isfinite().all():
        raise UserError("Linear probe: features hold NaN or infinity; they must be finite.")
