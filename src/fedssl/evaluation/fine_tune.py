"""Fine-tune the backbone and a new linear layer end to end (fssuavl section 3.4, F.T)."""

import copy
import math

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from fedssl.ahead import steps_ahead
from fedssl.backbones.encoder import Encoder
from fedssl.evaluation.checks import check_labels
from fedssl.evaluation.features import extract_features
from fedssl.evaluation.settings import FineTune
from fedssl.evaluation.supervised import linear_layer, train
from fedssl.randomness import stream, torch_seed
from fedssl.views.bank_views import Drawn
from fedssl.views.fine_tune import FineTuneViews


def fine_tune(
    encoder: Encoder,
    views: FineTuneViews,
    *,
    indices: np.ndarray,
    settings: FineTune,
    precision: str,
    seed: int,
    device: torch.device,
) -> nn.Sequential:
    """Return a copy of the backbone with a linear layer, after training all their parameters.

    Args:
        encoder: pretrained encoder, which is not changed.
        views: views of the task's bank.
        indices: positions of the training split in the bank.
        settings: settings of the training.
        precision: "fp32", or "bf16" for autocast.
        seed: seed of the new layer, the shuffling and the views.
        device: device to train on.

    Raises:
        UserError: training diverged.
    """
    labels, num_classes = views.bank.labels[indices], len(views.bank.classes)
    check_labels(torch.from_numpy(labels), samples=len(indices), num_classes=num_classes)
    model = _model(encoder, num_classes, seed=seed).to(device)
    model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    draws = stream(seed, "fine-tune views")

    def draw(batch: np.ndarray) -> tuple[Drawn, Tensor]:
        drawn = views.draw_fine_tune(indices[batch], draws, augmentation=settings.augmentation)
        return drawn, views.staged(labels[batch])

    def loss_of(batch: tuple[Drawn, Tensor]) -> Tensor:
        inputs, targets = views.render_fine_tune(batch[0]), views.on_device(batch[1])
        with torch.autocast(device.type, dtype=torch.bfloat16, enabled=precision == "bf16"):
            logits = model(inputs)
        # The exponentials of the loss would lose digits in bf16.
        return cross_entropy(logits.float(), targets)

    train(
        model,
        loss_of,
        count=len(indices),
        settings=settings,
        rng=stream(seed, "fine-tune batches"),
        draw=draw,
        depth=steps_ahead(device),
    )
    return model.eval()


def predict(
    model: nn.Sequential, views: FineTuneViews, indices: np.ndarray, *, device: torch.device
) -> Tensor:
    """Return the predicted class of each sample in its plain view, (len(indices),) int64."""
    return extract_features(model, views, indices, device=device).argmax(dim=1)


def _model(encoder: Encoder, num_classes: int, *, seed: int) -> nn.Sequential:
    """Return a copy of the backbone with a new linear layer on top, ready to train."""
    layer = linear_layer(encoder.num_features, num_classes)
    # Draw from torch's default distribution of a linear layer. torch's own initialisation would
    # draw from the global generator.
    generator = torch.Generator().manual_seed(torch_seed(seed, "fine-tune layer"))
    bound = 1 / math.sqrt(encoder.num_features)
    for parameter in layer.parameters():
        nn.init.uniform_(parameter, -bound, bound, generator=generator)
    return nn.Sequential(copy.deepcopy(encoder.backbone), layer).requires_grad_().train()
