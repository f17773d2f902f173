"""SimCLR: each view picks its partner out of all other views of the batch (Chen et al. 2020)."""

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, normalize

from fedssl.backbones.encoder import Encoder
from fedssl.methods.base import Method


def nt_xent(z1: Tensor, z2: Tensor, temperature: float) -> Tensor:
    """Return the NT-Xent loss (scalar) of two views' embeddings, (batch, dim) each.

    fssuavl equation 1, with its sign mended: the mean over all 2N views of
    -s(i, partner) + logsumexp over j != i of s(i, j), s the cosine similarity / temperature.
    """
    embeddings = normalize(torch.cat([z1, z2]), eps=1e-12)
    similarity = embeddings @ embeddings.T / temperature
    similarity.fill_diagonal_(-torch.inf)
    views = torch.arange(len(embeddings), device=embeddings.device)
    return cross_entropy(similarity, views.roll(len(z1)))


class SimCLR(Method):
    """SimCLR without a projection head: the encoder's 128-d head is the projection."""

    def __init__(self, encoder: Encoder, *, temperature: float) -> None:
        """Keep the temperature of the softmax (fssuavl: 0.5)."""
        super().__init__(encoder)
        self.temperature = temperature

    def objective(self, first: Tensor, second: Tensor) -> Tensor:
        """Return NT-Xent of the two views."""
        return nt_xent(first, second, self.temperature)


def build(encoder: Encoder, *, temperature: float) -> SimCLR:
    """Return the SimCLR module."""
    return SimCLR(encoder, temperature=temperature)
