"""What the methods share: an encoder whose parts are named backbone and head, and two views."""

from abc import abstractmethod

import pytorch_lightning as pl
from torch import Tensor

from fedssl.backbones.encoder import Encoder


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

    def training_step(self, views: Tensor, _batch_idx: int = 0) -> Tensor:
        """Return the loss of a batch of two views each, (2, batch, 3, size, size).

        Both views go through the network together, so batch norm sees one batch of 2N.
        """
        first, second = self(views.flatten(0, 1)).float().chunk(2)
        return self.objective(first, second)

    @abstractmethod
    def objective(self, first: Tensor, second: Tensor) -> Tensor:
        """Return the scalar loss of two views' embeddings, (batch, dim) each, in float32."""
