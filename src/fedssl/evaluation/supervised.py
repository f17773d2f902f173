"""What the supervised protocols share: the schedule, the batches and the loop over them."""

import logging
import time
from collections.abc import Callable, Iterator

import numpy as np
import torch
from torch import Tensor, nn

from fedssl.errors import UserError
from fedssl.evaluation.settings import Supervised

_LOG_EVERY_S = 10.0
_log = logging.getLogger(__name__)


def train(
    model: nn.Module,
    loss_of: Callable[[np.ndarray], Tensor],
    *,
    count: int,
    settings: Supervised,
    rng: np.random.Generator,
) -> None:
    """Minimise the loss over `count` samples by SGD with Nesterov momentum, to the last epoch.

    A loop and no Lightning Trainer, as `benchmarks/supervised.py` decides: around the same loss a
    Trainer takes 1.6 times as long for the linear probe and 1.02 times for fine-tuning, and
    importing Lightning makes the imports of an evaluation job 2.4 times as long.

    Args:
        model: What to train, in place; the weight decay is on every parameter.
        loss_of: Gives the mean loss of a batch, by its positions in 0..count-1.
        count: Number of samples.
        settings: of the schedule, the batches and SGD.
        rng: Of the shuffling.

    Raises:
        UserError: Training ended in NaN or infinity.
    """
    optimiser = torch.optim.SGD(
        model.parameters(),
        lr=settings.lr,
        momentum=settings.momentum,
        weight_decay=settings.weight_decay,
        nesterov=settings.momentum > 0,
        fused=True,
    )
    logged = time.monotonic()
    for epoch in range(settings.epochs):
        for group in optimiser.param_groups:
            group["lr"] = learning_rate(settings, epoch=epoch)
        batches = shuffled_batches(count, batch_size=settings.batch_size, rng=rng)
        losses = [_step(loss_of(batch), optimiser) for batch in batches]
        if time.monotonic() - logged > _LOG_EVERY_S or epoch + 1 == settings.epochs:
            logged, loss = time.monotonic(), float(torch.stack(losses).mean())
            _log.info("epoch %d of %d  loss %.4f", epoch + 1, settings.epochs, loss)
    _check_finite(model, lr=settings.lr)


def learning_rate(settings: Supervised, *, epoch: int) -> float:
    """Return the learning rate of an epoch (0-based): a step down at each milestone.

    paper (fssuavl 3.4): "linearly decayed by a factor of 0.1" after 60 % and 80 % of the epochs;
    here: the step decay of the authors' earlier code, with milestones at int(share * epochs).
    """
    passed = sum(epoch >= int(share * settings.epochs) for share in settings.milestones)
    return float(settings.lr * settings.decay**passed)


def shuffled_batches(
    count: int, *, batch_size: int, rng: np.random.Generator
) -> Iterator[np.ndarray]:
    """Yield the positions 0..count-1 in shuffled batches, every one of them once.

    The last batch is smaller, never dropped. A single position left over joins the batch before
    it, because batch norm needs two samples.
    """
    starts = range(0, max(count - 1, 1), batch_size)
    yield from np.split(rng.permutation(count), starts[1:])


def linear_layer(num_features: int, num_classes: int) -> nn.Linear:
    """Return a linear layer of zeros, made without a draw from the global generator."""
    layer = nn.Linear(num_features, num_classes, device="meta").to_empty(device="cpu")
    for parameter in layer.parameters():
        nn.init.zeros_(parameter)
    return layer


def check_labels(labels: Tensor, *, samples: int, num_classes: int) -> None:
    """Raise UserError unless there is one label in [0, num_classes) for each of the samples."""
    if labels.shape != (samples,) or samples == 0:
        raise UserError(
            f"Labels are {tuple(labels.shape)} for {samples} samples; training needs one label "
            "per sample, and a sample."
        )
    low, high = (int(extreme) for extreme in labels.aminmax())
    if low < 0 or high >= num_classes:
        raise UserError(f"Labels run from {low} to {high}; classes are 0..{num_classes - 1}.")


def _step(loss: Tensor, optimiser: torch.optim.Optimizer) -> Tensor:
    optimiser.zero_grad()
    loss.backward()  # type: ignore[no-untyped-call]
    optimiser.step()
    return loss.detach()


def _check_finite(model: nn.Module, *, lr: float) -> None:
    if not all(bool(parameter.isfinite().all()) for parameter in model.parameters()):
        raise UserError(f"Supervised training diverged at lr {lr}; a smaller one would be right.")
