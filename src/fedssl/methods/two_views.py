"""Base class of the methods that compare two views of the same encoder."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from fedssl.backbones.encoder import Encoder
from fedssl.methods.base import Method


class TwoViews(Method):
    """A method whose loss compares the embeddings of two views of each sample.

    A subclass defines `objective`.
    """

    @dataclass(frozen=True)
    class Settings(Method.Settings):
        """Settings of a method that compares two views."""

        view_batches: Literal["joint", "separate"] = "joint"
        """Whether both views go through the encoder in one batch (`joint`) or one after the other
        (`separate`). Batch norm then takes its statistics over both views or over each. Decided:
        joint, which is faster; the authors' code passes each view alone."""

    settings: Settings

    def __init__(self, encoder: Encoder, settings: Settings) -> None:
        """Keep how the views pass through the encoder."""
        super().__init__(encoder, settings)

    def training_step(self, batch: Tensor) -> Tensor:
        """Return the loss (scalar) of two views, (2, batch, 3, size, size).

        The loss is computed in float32 under autocast too.
        """
        first, second = (view.float() for view in self.each_view(self, batch))
        with torch.autocast(first.device.type, enabled=False):
            return self.objective(first, second)

    def each_view(
        self, network: Callable[[Tensor], Tensor], batch: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Return a network's outputs for both views, (batch, dim) each."""
        if self.settings.view_batches == "joint":
            first, second = network(batch.flatten(0, 1)).chunk(2)
        else:
            first, second = (network(view) for view in batch)
        return first, second

    def objective(self, first: Tensor, second: Tensor) -> Tensor:
        """Return the loss (scalar) of two views' embeddings, (batch, dim) each, in float32."""
        raise NotImplementedError(f"{type(self).__name__} does not define an objective")
