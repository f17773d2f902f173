"""The linear probe: one linear layer on frozen pooled features (fssuavl section 3.4, L.P)."""

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from fedssl.errors import UserError
from fedssl.evaluation.settings import LinearProbe
from fedssl.evaluation.supervised import check_labels, linear_layer, train
from fedssl.randomness import stream

_STILL = 1e-6  # a spread that is float32 rounding next to the mean


def fit_probe(
    features: Tensor,
    labels: Tensor,
    *,
    num_classes: int,
    settings: LinearProbe,
    seed: int,
) -> nn.Linear:
    """Return the probe of the last epoch, for features as given, in float32 on their device.

    The encoder has run once, in evaluation mode: nothing here reaches it.
    paper: torch's initial weights; here: zeros, because the problem is convex and no class should
    start ahead of another. Nor does the paper scale features; `standardise` does while training,
    because one learning rate suits only one scale and encoders differ in theirs.

    Args:
        features: (samples, dim) pooled features of the training split.
        labels: (samples,) classes in [0, num_classes).
        num_classes: Number of classes.
        settings: of its training.
        seed: Of the shuffling.

    Raises:
        UserError: A shape, a label or a feature is out of range, or training diverged.
    """
    _check(features, labels, num_classes=num_classes)
    inputs, targets = features.float(), labels.to(features.device, torch.int64)
    probe = linear_layer(inputs.shape[1], num_classes).to(inputs.device)
    scale, centre = _moments(inputs, standardise=settings.standardise)

    def loss_of(batch: np.ndarray) -> Tensor:
        chosen = torch.from_numpy(batch).to(inputs.device)
        return cross_entropy(probe((inputs[chosen] - centre) / scale), targets[chosen])

    rng = stream(seed, "linear probe")
    train(probe, loss_of, count=len(targets), settings=settings, rng=rng)
    with torch.no_grad():  # W (x - centre) / scale + b as one layer on x
        probe.weight.div_(scale)
        probe.bias.sub_(probe.weight @ centre)
    return probe


@torch.no_grad()
def predict(probe: nn.Linear, features: Tensor) -> Tensor:
    """Return the class of each row of features, (samples,) int64."""
    predicted: Tensor = probe(features.float()).argmax(dim=1)
    return predicted


def _moments(features: Tensor, *, standardise: bool) -> tuple[Tensor, Tensor]:
    """Return each feature's standard deviation and mean, (dim,) both; ones and zeros without."""
    if not standardise:
        return features.new_ones(features.shape[1]), features.new_zeros(features.shape[1])
    scale, centre = torch.std_mean(features, dim=0, correction=0)
    # A feature that never moves says nothing: it becomes 0, whatever rounding left of its spread.
    return scale.where(scale > _STILL * (centre.abs() + scale), torch.inf), centre


def _check(features: Tensor, labels: Tensor, *, num_classes: int) -> None:
    if features.ndim != 2:
        shape = tuple(features.shape)
        raise UserError(f"Linear probe: features are {shape}; they must be (samples, dim).")
    check_labels(labels, samples=len(features), num_classes=num_classes)
    if not torch.linalg.vector_norm(features.float(), dim=1).isfinite().all():
        raise UserError("Linear probe: features hold NaN or infinity; they must be finite.")
