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


def predictor(encoder: Encoder, *, hidden: int, purpose: str) -> nn.Sequential:
    """Return Linear, batch norm, ReLU, Linear, by torch's distribution of first weights.

    It maps an embedding to a prediction of the same width. BYOL and SimSiam have one.
    """
    dim, generator = embedding_dim(encoder), seeded_by_head(encoder, purpose)
    first, last = linear(dim, hidden), linear(hidden, dim)
    for layer in (first, last):
        bound = 1.0 / math.sqrt(layer.in_features)
        nn.init.uniform_(layer.weight, -bound, bound, generator=generator)
    return nn.Sequential(first, nn.BatchNorm1d(hidden), nn.ReLU(), last)
