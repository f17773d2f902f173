"""Train with labels, for the linear probe and for fine-tuning: loop, schedule and batches."""

import logging
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from fedssl.ahead import ahead
from fedssl.errors import UserError
from fedssl.evaluation.epoch_checkpoints import EpochCheckpoints
from fedssl.evaluation.settings import Supervised

_LOG_EVERY_S = 10.0
_log = logging.getLogger(__name__)


def train(
    model: nn.Module,
    loss_of: Callable[[Any], Tensor],
    *,
    count: int,
    settings: Supervised,
    rng: np.random.Generator,
    checkpoints: EpochCheckpoints | None = None,
    draw: Callable[[np.ndarray], Any] = np.asarray,
    depth: int = 0,
) -> None:
    """Minimise a loss by SGD with Nesterov momentum.

    Args:
        model: model to train in place; all parameters have weight decay.
        loss_of: returns the mean loss of a batch, given what `draw` returned.
        count: number of samples.
        settings: settings of the schedule, the batches and SGD.
        rng: generator for the shuffling.
        checkpoints: where to save the training after each epoch, and to continue it from.
        draw: reads a batch, given positions in 0..count-1; by default the positions themselves.
        depth: batches that a thread draws ahead.

    Raises:
        UserError: training diverged to NaN or infinity.
    """
    # Not a Lightning Trainer: it takes 1.6 times as long for the linear probe, and importing it
    # makes the imports of an evaluation job 2.4 times as long (benchmarks/supervised.py).
    optimiser = _sgd(model, settings)
    done = checkpoints.restore(model, optimiser) if checkpoints else 0
    logged = time.monotonic()
    for epoch in range(done, settings.epochs):
        for group in optimiser.param_groups:
            group["lr"] = learning_rate(settings, epoch=epoch)
        batches = shuffled_batches(count, batch_size=settings.batch_size, rng=rng)
        # Keep losses as tensors: converting each to a number would wait for the GPU in every step.
        with ahead(map(draw, batches), depth=depth) as drawn:
            losses = [_step(loss_of(batch), optimiser) for batch in drawn]
        if time.monotonic() - logged > _LOG_EVERY_S or epoch + 1 == settings.epochs:
            logged, loss = time.monotonic(), float(torch.stack(losses).mean())
            _log.info("epoch %d of %d  loss %.4f", epoch + 1, settings.epochs, loss)
        if checkpoints:
            checkpoints.save(epoch + 1, model, optimiser)
    if not all(bool(parameter.isfinite().all()) for parameter in model.parameters()):
        raise UserError(f"Supervised training diverged at lr {settings.lr}; set a smaller lr.")


def learning_rate(settings: Supervised, *, epoch: int) -> float:
    """Return the learning rate of an epoch, counted from 0; it drops at each milestone."""
    # paper (fssuavl 3.4): "linearly decayed by a factor of 0.1" after 60 % and 80 % of the epochs;
    # here: the step decay of the authors' earlier code, with milestones at int(share * epochs).
    passed = sum(epoch >= int(share * settings.epochs) for share in settings.milestones)
    return float(settings.lr * settings.decay**passed)


def shuffled_batches(
    count: int, *, batch_size: int, rng: np.random.Generator
) -> Iterator[np.ndarray]:
    """Yield the positions 0..count-1 in shuffled batches, each position once.

    The last batch may be smaller, or larger by one.
    """
    # Batch norm needs at least two samples, so a single position that is left over joins the batch
    # before it.
    starts = range(0, max(count - 1, 1), batch_size)
    yield from np.split(rng.permutation(count), starts[1:])


def linear_layer(num_features: int, num_classes: int) -> nn.Linear:
    """Return a linear layer with all parameters zero."""
    # torch's own initialisation would draw from the global generator; on the meta device it does
    # not.
    layer = nn.Linear(num_features, num_classes, device="meta").to_empty(device="cpu")
    for parameter in layer.parameters():
        nn.init.zeros_(parameter)
    return layer


def _sgd(model: nn.Module, settings: Supervised) -> torch.optim.SGD:
    return torch.optim.SGD(
        model.parameters(),
        lr=settings.lr,
        momentum=settings.momentum,
        weight_decay=settings.weight_decay,
        # torch refuses Nesterov momentum of 0.
        nesterov=settings.momentum > 0,
        fused=True,
    )


def _step(loss: Tensor, optimiser: torch.optim.Optimizer) -> Tensor:
    optimiser.zero_grad()
    loss.backward()  # type: ignore[no-untyped-call]
    optimiser.step()
    return loss.detach()
