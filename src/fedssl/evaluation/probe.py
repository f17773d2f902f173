"""Train a linear layer on frozen features (fssuavl section 3.4, L.P)."""

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from fedssl.errors import UserError
from fedssl.evaluation.checks import check_labels
from fedssl.evaluation.settings import LinearProbe
from fedssl.evaluation.supervised import linear_layer, train
from fedssl.randomness import stream

# A feature with a smaller standard deviation, relative to its mean, is constant up to float32
# rounding.
_CONSTANT = 1e-6


def fit_probe(
    features: Tensor,
    labels: Tensor,
    *,
    num_classes: int,
    settings: LinearProbe,
    seed: int,
) -> nn.Linear:
    """Return the linear probe after the last epoch, in float32 on the device of the features.

    It takes features as they are, even if they were standardised for training.

    Args:
        features: (samples, dim) features of the training split.
        labels: (samples,) classes in [0, num_classes).
        num_classes: number of classes.
        settings: settings of the training.
        seed: seed of the shuffling.

    Raises:
        UserError: a shape, a label or a feature is out of range, or training diverged.
    """
    _check(features, labels, num_classes=num_classes)
    inputs, targets = features.float(), labels.to(features.device, torch.int64)
    # paper: torch's random initial weights; here: zeros, because the problem is convex, and no
    # class should start ahead of another.
    probe = linear_layer(inputs.shape[1], num_classes).to(inputs.device)
    scale, centre = _moments(inputs, standardise=settings.standardise)

    def loss_of(batch: np.ndarray) -> Tensor:
        chosen = torch.from_numpy(batch).to(inputs.device)
        return cross_entropy(probe((inputs[chosen] - centre) / scale), targets[chosen])

    rng = stream(seed, "linear probe")
    train(probe, loss_of, count=len(targets), settings=settings, rng=rng)
    # Write W (x - centre) / scale + b as one layer on x.
    with torch.no_grad():
        probe.weight.div_(scale)
        probe.bias.sub_(probe.weight @ centre)
    return probe


@torch.no_grad()
def predict(probe: nn.Linear, features: Tensor) -> Tensor:
    """Return the predicted class of each row of features, (samples,) int64."""
    predicted: Tensor = probe(features.float()).argmax(dim=1)
    return predicted


def _moments(features: Tensor, *, standardise: bool) -> tuple[Tensor, Tensor]:
    """Return the standard deviation and mean of each feature, or ones and zeros, (dim,) each."""
    # Encoders differ in the scale of their features, and one learning rate suits only one scale.
    if not standardise:
        return features.new_ones(features.shape[1]), features.new_zeros(features.shape[1])
    scale, centre = torch.std_mean(features, dim=0, correction=0)
    # Dividing by infinity turns constant features into 0 instead of amplified rounding errors.
    return scale.where(scale > _CONSTANT * (centre.abs() + scale), torch.inf), centre


def _check(features: Tensor, labels: Tensor, *, num_classes: int) -> None:
    if features.ndim != 2:
        shape = tuple(features.shape)
        raise UserError(f"Linear probe: features are {shape}; they must be (samples, dim).")
    check_labels(labels, samples=len(features), num_classes=num_classes)
    if not torch.linalg.vector_norm(features.float(), dim=1).isfinite().all():
        raise UserError("Linear probe: features contain NaN or infinity; they must be finite.")
