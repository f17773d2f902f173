"""What the methods share: an encoder whose parts are named backbone and head, and two views."""

from abc import abstractmethod
from typing import Any

import numpy as np
import pytorch_lightning as pl
import torch
from torch import Tensor

from fedssl.backbones.encoder import Encoder
from fedssl.views.bank_views import Views


class Method(pl.LightningModule):
    """A LightningModule over one encoder; `Trainer` or a federation round runs its steps.

    The encoder's parts are attributes of the method itself, so state dict keys start with
    `backbone.` or `head.`, which backbone-only transmission and the aggregators rely on.
    """

    def __init__(self, encoder: Encoder) -> None:
        """Take over the encoder's backbone and head."""
        super().__init__()
        self.backbone = encoder.backbone
        self.head = encoder.head

    def forward(self, inputs: Tensor) -> Tensor:
        """Embed a batch: (batch, 3, size, size) -> (batch, embedding_dim)."""
        embeddings: Tensor = self.head(self.backbone(inputs))
        return embeddings

    def views(self, source: Views, indices: np.ndarray, rng: np.random.Generator) -> Any:
        """Return the batch `training_step` takes; every random number of the step is drawn here.

        By default two augmented views of each sample, (2, batch, 3, size, size).
        """
        return torch.stack([source.augmented(indices, rng) for _ in range(2)])

    def training_step(self, batch: Any, _batch_idx: int = 0) -> Tensor:
        """Return the loss of a batch of `views`.

        Both views go through the network together, so batch norm sees one batch of 2N. The loss
        is computed in float32 under autocast too.
        """
        first, second = self(batch.flatten(0, 1)).float().chunk(2)
        with torch.autocast(first.device.type, enabled=False):
            return self.objective(first, second)

    @abstractmethod
    def objective(self, first: Tensor, second: Tensor) -> Tensor:
        """Return the scalar loss of two views' embeddings, (batch, dim) each, in float32."""
