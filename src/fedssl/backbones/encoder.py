"""The class of all encoders, and the seeded initialisation of their weights."""

from typing import Any

import torch
from torch import Tensor, nn

from fedssl import backbones
from fedssl.randomness import torch_seed

State = dict[str, Tensor]


class Encoder(nn.Module):
    """A backbone that returns one feature vector per sample, and a head that embeds it."""

    def __init__(self, backbone: nn.Module, head: nn.Module, *, num_features: int) -> None:
        """Store the two parts; `num_features` is the width of the backbone's output."""
        super().__init__()
        # The attribute names are part of the contract: keys of the state dict start with
        # `backbone.` or `head.`, and backbone-only transmission (-bb) selects keys by that prefix.
        self.backbone = backbone
        self.head = head
        self.num_features = num_features

    def forward(self, inputs: Tensor) -> Tensor:
        """Return the embeddings of a batch: (batch, 3, height, width) -> (batch, dim)."""
        embeddings: Tensor = self.head(self.backbone(inputs))
        return embeddings


def initialise(seed: int, *, arch: str, **settings: Any) -> Encoder:
    """Return the encoder of round 0; it depends only on the seed and the encoder's settings."""
    # torch initialises modules from its global generator. Fork that generator, so that building
    # an encoder does not change the numbers of any other code. Weights are created on the CPU.
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(torch_seed(seed, f"initialise {arch}"))
        return backbones.build(arch, **settings)
