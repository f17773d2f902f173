"""What every method is: an encoder split into backbone and head, a batch, a step and its state."""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from fedssl.backbones.encoder import Encoder
from fedssl.views.bank_views import Views


class Method(nn.Module):
    """A module over one encoder; a federated round or a Trainer runs its steps.

    The encoder's parts are attributes of the method itself, so state dict keys start with
    `backbone.` or `head.`, which backbone-only transmission and the aggregators rely on.
    """

    sent: ClassVar[tuple[str, ...]] = ("backbone.", "head.")
    """Prefixes of the tensors that clients and server exchange: the global model."""

    kept: ClassVar[tuple[str, ...]] = ()
    """Prefixes of those that stay with a client. All others start anew in every round."""

    @dataclass(frozen=True)
    class Settings:
        """Settings of the method, and what a cell may ask of it."""

        modalities: ClassVar[tuple[str, ...]] = ("image", "audio")
        """What the method can train on."""

        min_batch: ClassVar[int] = 2
        """Smallest batch: one sample alone has neither a negative nor a correlation."""

    def __init__(self, encoder: Encoder, settings: Settings) -> None:
        """Take over the encoder's backbone and head."""
        super().__init__()
        self.settings = settings
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

    def training_step(self, batch: Any) -> Tensor:
        """Return the loss of a batch of `views`.

        Both views go through the network together, so batch norm sees one batch of 2N. The loss
        is computed in float32 under autocast too.
        """
        # One pass over both views costs less than two.
        first, second = self(batch.flatten(0, 1)).float().chunk(2)
        with torch.autocast(first.device.type, enabled=False):
            return self.objective(first, second)

    def objective(self, first: Tensor, second: Tensor) -> Tensor:
        """Return the scalar loss of two views' embeddings, (batch, dim) each, in float32."""
        raise NotImplementedError(f"{type(self).__name__} has neither objective nor training_step")

    def start_round(self) -> None:
        """Set up what starts anew, after a client's model is loaded; by default nothing."""

    def after_step(self, progress: float) -> None:
        """Update what follows the encoder, after a step of the optimiser; by default nothing.

        `progress` is the share of the whole training that is done, above 0 and up to 1.
        """

    def global_state(self) -> dict[str, Tensor]:
        """Return the tensors that are sent, which are also what a checkpoint's model holds."""
        return {name: t for name, t in self.state_dict().items() if name.startswith(self.sent)}
