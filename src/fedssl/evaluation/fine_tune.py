"""Fine-tune the backbone and a new linear layer end to end (fssuavl section 3.4, F.T)."""

import copy
import math
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from fedssl.ahead import steps_ahead
from fedssl.backbones.encoder import Encoder
from fedssl.evaluation.checks import check_labels
from fedssl.evaluation.epoch_checkpoints import EpochCheckpoints
from fedssl.evaluation.features import extract_features
from fedssl.evaluation.settings import FineTune
from fedssl.evaluation.supervised import linear_layer, train
from fedssl.randomness import stream, torch_seed
from fedssl.views.bank_views import Drawn
from fedssl.views.fine_tune import FineTuneViews
from fedssl.views.settings import FineTuneAugmentation

DrawnSamples = tuple[list[Drawn], Tensor]


class Classifier(nn.Module):
    """A backbone and a linear layer that classify samples of one or two modalities.

    The logits of a pair are the mean of the logits of its image and of its sound (fssuavl 4.2).
    """

    def __init__(self, backbone: nn.Module, layer: nn.Linear) -> None:
        """Join a backbone and the linear layer that reads its features."""
        super().__init__()
        self.backbone, self.layer = backbone, layer

    def forward(self, *views: Tensor) -> Tensor:
        """Return the logits, (batch, classes), of one view per modality, (batch, 3, size, size)."""
        # All modalities pass in one batch, so that training and evaluation normalise by statistics
        # of the same mixture.
        features = self.backbone(torch.cat(views))
        # The layer is linear, so the mean may be taken before it.
        logits: Tensor = self.layer(features.view(len(views), len(views[0]), -1).mean(dim=0))
        return logits


class _Samples:
    """Labelled training samples of one or two modalities, with random views.

    Attributes:
        labels: (samples,) int64, those of the last modality.
        num_classes: number of classes of the last modality's bank.
        draws: random numbers of the views.
    """

    def __init__(
        self,
        views: Sequence[FineTuneViews],
        indices: Sequence[np.ndarray],
        *,
        augmentation: FineTuneAugmentation,
        seed: int,
    ) -> None:
        """Join views and the positions of their samples; see `fine_tune`."""
        self._views, self._indices, self._augmentation = views, indices, augmentation
        bank = views[-1].bank
        self.labels, self.num_classes = bank.labels[indices[-1]], len(bank.classes)
        self.draws = stream(seed, "fine-tune views")
        check_labels(
            torch.from_numpy(self.labels), samples=len(self.labels), num_classes=self.num_classes
        )

    def draw(self, batch: np.ndarray) -> DrawnSamples:
        """Return the drawn views of a batch of positions, one per modality, and the labels."""
        drawn = [
            own.draw_fine_tune(positions[batch], self.draws, augmentation=self._augmentation)
            for own, positions in zip(self._views, self._indices, strict=True)
        ]
        return drawn, self._views[-1].staged(self.labels[batch])

    def render(self, batch: DrawnSamples) -> tuple[list[Tensor], Tensor]:
        """Return the views, each (batch, 3, size, size), and the labels, on the device."""
        pairs = zip(self._views, batch[0], strict=True)
        inputs = [own.render_fine_tune(drawn) for own, drawn in pairs]
        return inputs, self._views[-1].on_device(batch[1])


def fine_tune(
    encoder: Encoder,
    views: Sequence[FineTuneViews],
    *,
    indices: Sequence[np.ndarray],
    settings: FineTune,
    precision: str,
    seed: int,
    device: torch.device,
    checkpoints: EpochCheckpoints | None = None,
) -> Classifier:
    """Return a classifier with a copy of the backbone, after training all its parameters.

    Args:
        encoder: pretrained encoder, which is not changed.
        views: views of the task's bank, or of both banks of a paired task.
        indices: positions of the training samples in each bank. The labels are those of the last.
        settings: settings of the training.
        precision: "fp32", or "bf16" for autocast.
        seed: seed of the new layer, the shuffling and the views.
        device: device to train on.
        checkpoints: where to save the training after each epoch, and to continue it from.

    Raises:
        UserError: training diverged.
    """
    samples = _Samples(views, indices, augmentation=settings.augmentation, seed=seed)
    model = _model(encoder, samples.num_classes, seed=seed).to(device)
    model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def loss_of(batch: DrawnSamples) -> Tensor:
        inputs, targets = samples.render(batch)
        with torch.autocast(device.type, dtype=torch.bfloat16, enabled=precision == "bf16"):
            logits = model(*inputs)
        # The exponentials of the loss would lose digits in bf16.
        return cross_entropy(logits.float(), targets)

    rng = stream(seed, "fine-tune batches")
    if checkpoints:
        checkpoints.generators.update(batches=rng, views=samples.draws)
    train(
        model,
        loss_of,
        count=len(samples.labels),
        settings=settings,
        rng=rng,
        checkpoints=checkpoints,
        draw=samples.draw,
        depth=steps_ahead(device),
    )
    return model.eval()


def predict(
    model: Classifier,
    views: Sequence[FineTuneViews],
    indices: Sequence[np.ndarray],
    *,
    device: torch.device,
) -> Tensor:
    """Return the predicted class of each sample or pair in its plain view, (samples,) int64."""
    parts = [
        extract_features(model, own, positions, device=device)
        for own, positions in zip(views, indices, strict=True)
    ]
    # Adding logits chooses the same class as their mean.
    return torch.stack(parts).sum(dim=0).argmax(dim=1)


def _model(encoder: Encoder, num_classes: int, *, seed: int) -> Classifier:
    """Return a copy of the backbone with a new linear layer on top, ready to train."""
    layer = linear_layer(encoder.num_features, num_classes)
    # Draw from torch's default distribution of a linear layer. torch's own initialisation would
    # draw from the global generator.
    generator = torch.Generator().manual_seed(torch_seed(seed, "fine-tune layer"))
    bound = 1 / math.sqrt(encoder.num_features)
    for parameter in layer.parameters():
        nn.init.uniform_(parameter, -bound, bound, generator=generator)
    return Classifier(copy.deepcopy(encoder.backbone), layer).requires_grad_().train()
