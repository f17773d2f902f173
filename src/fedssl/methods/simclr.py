"""SimCLR: each view picks its partner out of all other views of the batch (Chen et al. 2020)."""

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, normalize

from fedssl.backbones.encoder import Encoder
from fedssl.methods.two_views import TwoViews
from fedssl.settings import Temperature


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


def nt_xent_viewmaker(z1: Tensor, z2: Tensor, temperature: float) -> Tensor:
    """Return the loss that the authors' code trains with, of (batch, dim) embeddings each.

    paper: NT-Xent; their code, taken from fssuavl's reference [33]: the first views alone choose,
    and among the 2N candidates is the view itself. So it is not symmetric, and never below ln 2.
    """
    embeddings = normalize(torch.cat([z1, z2]), eps=1e-12)
    similarity = embeddings[: len(z1)] @ embeddings.T / temperature
    partners = torch.arange(len(z1), len(embeddings), device=embeddings.device)
    return cross_entropy(similarity, partners)


_LOSSES = {"ntxent": nt_xent, "ntxent-viewmaker": nt_xent_viewmaker}


class SimCLR(TwoViews):
    """SimCLR without a projection head: the encoder's 128-d head is the projection."""

    @dataclass(frozen=True)
    class Settings(TwoViews.Settings):
        """Settings of SimCLR."""

        temperature: Temperature = 0.5
        """Temperature of the softmax. Stated."""

        loss: Literal["ntxent", "ntxent-viewmaker"] = "ntxent"
        """The standard loss (equation 1, its sign mended), or the authors' code's one-sided one."""

    def __init__(self, encoder: Encoder, settings: Settings) -> None:
        """Keep the temperature, and which of the losses it is in."""
        super().__init__(encoder, settings)
        self.temperature = settings.temperature
        self._loss = _LOSSES[settings.loss]

    def objective(self, first: Tensor, second: Tensor) -> Tensor:
        """Return the contrastive loss of the two views."""
        return self._loss(first, second, self.temperature)
