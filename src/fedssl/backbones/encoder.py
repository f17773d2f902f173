"""What every architecture returns, and how it gets its first weights."""

from typing import Any

import torch
from torch import Tensor, nn

from fedssl import backbones
from fedssl.randomness import torch_seed

State = dict[str, Tensor]


class Encoder(nn.Module):
    """A backbone that gives one feature vector a sample, and a head that embeds it."""

    def __init__(self, backbone: nn.Module, head: nn.Module, *, num_features: int) -> None:
        """Keep the two parts; `num_features` is the width of the backbone's output."""
        super().__init__()
        self.backbone = backbone
        self.head = head
        self.num_features = num_features

    def forward(self, inputs: Tensor) -> Tensor:
        """Embed a batch: (batch, 3, height, width) -> (batch, embedding_dim)."""
        embeddings: Tensor = self.head(self.backbone(inputs))
        return embeddings


def initialise(seed: int, *, arch: str, **settings: Any) -> Encoder:
    """Return the encoder of round 0: a pure function of the seed and the encoder's settings."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(torch_seed(seed, f"initialise {arch}"))
        return backbones.build(arch, **settings)
