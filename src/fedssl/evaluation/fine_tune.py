"""Fine-tuning: the backbone and a new linear layer, trained end to end (fssuavl 3.4, F.T)."""

import copy
import math

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from fedssl.backbones.encoder import Encoder
from fedssl.evaluation.features import extract_features
from fedssl.evaluation.settings import FineTune
from fedssl.evaluation.supervised import check_labels, linear_layer, train
from fedssl.randomness import stream, torch_seed
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
    """Return a copy of the backbone with a linear layer on top, as the last epoch left them.

    All parameters move and batch norm trains on the batch.

    Args:
        encoder: The pretrained encoder; it stays as it is.
        views: Of the task's bank.
        indices: Positions of the training split in the bank.
        settings: of its training.
        precision: fp32 or bf16 (autocast).
        seed: Of the new layer, the shuffling and the views.
        device: Where to train.

    Raises:
        UserError: Training diverged.
    """
    labels, num_classes = torch.from_numpy(views.bank.labels[indices]), len(views.bank.classes)
    check_labels(labels, samples=len(indices), num_classes=num_classes)
    layer = _initial_layer(encoder.num_features, num_classes, seed=seed)
    model = nn.Sequential(copy.deepcopy(encoder.backbone), layer).requires_grad_().train()
    model.to(device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    labels, draws = labels.to(device), stream(seed, "fine-tune views")

    def loss_of(batch: np.ndarray) -> Tensor:
        inputs = views.fine_tune(indices[batch], draws, augmentation=settings.augmentation)
        low = precision == "bf16"
        with torch.autocast(device.type, dtype=torch.bfloat16, enabled=low):
            logits = model(inputs)
        return cross_entropy(logits.float(), labels[torch.from_numpy(batch).to(device)])

    rng = stream(seed, "fine-tune batches")
    train(model, loss_of, count=len(indices), settings=settings, rng=rng)
    return model.eval()


def predict(
    model: nn.Sequential, views: FineTuneViews, indices: np.ndarray, *, device: torch.device
) -> Tensor:
    """Return the class of each sample by its plain view, (len(indices),) int64, in float32."""
    return extract_features(model, views, indices, device=device).argmax(dim=1)


def _initial_layer(num_features: int, num_classes: int, *, seed: int) -> nn.Linear:
    """Return a linear layer with torch's initial distribution, drawn from its own stream."""
    generator = torch.Generator().manual_seed(torch_seed(seed, "fine-tune layer"))
    layer = linear_layer(num_features, num_classes)
    bound = 1 / math.sqrt(num_features)
    for parameter in layer.parameters():
        nn.init.uniform_(parameter, -bound, bound, generator=generator)
    return layer
