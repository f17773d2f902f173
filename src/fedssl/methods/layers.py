"""Layers that methods add to an encoder, with first weights from streams of their own.

The encoder's head is a function of the cell's seed. A generator seeded by the head's weights
makes what is added to it a function of the seed, too, and draws from no global generator.
"""

import math
import zlib

import torch
from torch import nn

from fedssl.backbones.encoder import Encoder
from fedssl.randomness import torch_seed


def seeded_by_head(encoder: Encoder, purpose: str) -> torch.Generator:
    """Return a generator that depends on the weights of the encoder's head and on the purpose."""
    key = 0
    for parameter in encoder.head.parameters():
        key = zlib.crc32(parameter.detach().cpu().numpy().tobytes(), key)
    return torch.Generator().manual_seed(torch_seed(key, purpose))


def linear(in_features: int, out_features: int) -> nn.Linear:
    """Return a linear layer with a bias of 0, whose weights are still to be set."""
    # On the meta device, because torch's constructor draws from the global generator.
    layer = nn.Linear(in_features, out_features, device="meta").to_empty(device="cpu")
    nn.init.zeros_(layer.bias)
    return layer


def embedding_dim(encoder: Encoder) -> int:
    """Return the width of the head's output."""
    layers = [module for module in encoder.head.modules() if isinstance(module, nn.Linear)]
    return layers[-1].out_features


def mlp(sizes: tuple[int, int, int], generator: torch.Generator) -> nn.Sequential:
    """Return Linear, batch norm, ReLU, Linear, by torch's distribution of first weights."""
    first, last = linear(sizes[0], sizes[1]), linear(sizes[1], sizes[2])
    for layer in (first, last):
        bound = 1.0 / math.sqrt(layer.in_features)
        nn.init.uniform_(layer.weight, -bound, bound, generator=generator)
    return nn.Sequential(first, nn.BatchNorm1d(sizes[1]), nn.ReLU(), last)


def predictor(encoder: Encoder, *, hidden: int, purpose: str) -> nn.Sequential:
    """Return an `mlp` that maps an embedding to a prediction of the same width."""
    dim = embedding_dim(encoder)
    return mlp((dim, hidden, dim), seeded_by_head(encoder, purpose))


def with_projection(encoder: Encoder, *, hidden: int, dim: int) -> Encoder:
    """Return the encoder with an `mlp` in place of its head; it shares the backbone.

    The features of a backbone are positive, so a linear head maps all samples to nearly the same
    direction. The batch norm inside the `mlp` centres them.
    """
    generator = seeded_by_head(encoder, "initialise projection")
    head = mlp((encoder.num_features, hidden, dim), generator)
    return Encoder(encoder.backbone, head, num_features=encoder.num_features)
