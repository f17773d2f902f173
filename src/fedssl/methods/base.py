"""Base class of the methods: an encoder split into backbone and head, a batch and a step."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from fedssl.backbones.encoder import Encoder
from fedssl.views.bank_views import Views


class Method(nn.Module):
    """A module over one encoder; a federated round or a Trainer runs its steps.

    The encoder's parts are attributes of the method itself. So the keys of its state dict start
    with `backbone.` or `head.`; backbone-only transmission and the aggregators rely on that.
    """

    # Of the class, unless a setting of the method decides.
    sent: tuple[str, ...] = ("backbone.", "head.")
    """Prefixes of the tensors that clients and server exchange: the global model."""

    kept: tuple[str, ...] = ()
    """Prefixes of the tensors that stay with a client. All others start anew in every round."""

    @dataclass(frozen=True)
    class Settings:
        """Settings of the method, and the cells that it can train in."""

        modalities: ClassVar[tuple[str, ...]] = ("image", "audio")
        """Modalities that the method can train on."""

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
        """Return the batch for `training_step`: two augmented views, (2, batch, 3, size, size).

        Every random number of the step is drawn here, so that a step depends on `rng` alone.
        """
        return self.render(source, self.draw(source, indices, rng))

    def draw(self, source: Views, indices: np.ndarray, rng: np.random.Generator) -> Any:
        """Read the samples of a step and draw its numbers, all in host memory, for `render`.

        A thread does this for the steps to come. It must therefore use nothing that training
        changes.
        """
        return [source.draw(indices, rng) for _ in range(2)]

    def render(self, source: Views, drawn: Any) -> Any:
        """Return the batch for `training_step` of what `draw` returned, on the device."""
        return torch.stack([source.render(view) for view in drawn])

    def drawn_views(
        self, source: Views, indices: np.ndarray, rng: np.random.Generator
    ) -> Callable[[], Any]:
        """Return a function that returns what `views` does, after drawing all that can be drawn."""
        if type(self).views is Method.views:
            return partial(self.render, source, self.draw(source, indices, rng))
        # A method that replaces `views` whole cannot be split. All its batches are then drawn when
        # they are due, so they keep their order.
        return partial(self.views, source, indices, rng)

    def training_step(self, batch: Any) -> Tensor:
        """Return the loss (scalar) of a batch of `views`.

        After a loss without a gradient there is no optimiser step.
        """
        raise NotImplementedError(f"{type(self).__name__} does not define a training_step")

    def start_round(self) -> None:
        """Prepare for a round, after a client's model is loaded; by default do nothing."""

    def after_step(self, progress: float) -> None:
        """Update what follows the encoder, after an optimiser step; by default do nothing.

        `progress` is the finished share of the whole training, above 0 and up to 1.
        """

    def finish_round(self) -> None:
        """Finish a client's round, after its last step; by default do nothing."""

    def global_state(self) -> dict[str, Tensor]:
        """Return the tensors that are sent; the model file of a checkpoint holds the same."""
        return {name: t for name, t in self.state_dict().items() if name.startswith(self.sent)}
