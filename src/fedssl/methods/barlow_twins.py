"""Barlow Twins: two views' embeddings correlate dimension by dimension (Zbontar et al. 2021)."""

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from fedssl.backbones.encoder import Encoder
from fedssl.methods.two_views import TwoViews
from fedssl.settings import LossWeight

Std = Literal["biased", "unbiased"]
_EPS = 1e-5


def barlow_twins_loss(
    z1: Tensor, z2: Tensor, off_diagonal_weight: float, *, std: Std = "biased"
) -> Tensor:
    """Return the Barlow Twins loss (scalar) of two views' embeddings, (batch, dim) each.

    Zbontar et al. equation 1: the squared distance of the cross-correlation matrix from the
    identity, entries off the diagonal times `off_diagonal_weight`. With `std` unbiased it is the
    loss of the authors' code, where a perfect match correlates (N - 1) / N and not 1.
    """
    correlation = _standardise(z1, std=std).T @ _standardise(z2, std=std) / len(z1)
    identity = torch.eye(len(correlation), dtype=z1.dtype, device=z1.device)
    weights = identity + off_diagonal_weight * (1.0 - identity)
    return (weights * (correlation - identity).square()).sum()


def _standardise(embeddings: Tensor, *, std: Std) -> Tensor:
    """Return columns of mean 0 and variance 1; a constant column becomes 0.

    Bessel's factor goes on top of eps, so that the two losses differ by (N - 1) / N exactly.
    """
    centred = embeddings - embeddings.mean(dim=0)
    variance = centred.square().mean(dim=0) + _EPS
    if std == "unbiased":
        variance = variance * (len(embeddings) / (len(embeddings) - 1))
    return centred / variance.sqrt()


class BarlowTwins(TwoViews):
    """Barlow Twins without a projector: the encoder's 128-d head gives the embeddings.

    paper: a "temperature coefficient" of 0.5, which this loss does not have; here: none.
    """

    @dataclass(frozen=True)
    class Settings(TwoViews.Settings):
        """Settings of Barlow Twins."""

        off_diagonal_weight: LossWeight = 0.005
        """Lambda, weight of the redundancy term. Decided: the authors' code."""

        std: Std = "biased"
        """How columns are standardised: biased (Zbontar et al.), or as in the authors' code."""

    def __init__(self, encoder: Encoder, settings: Settings) -> None:
        """Keep the weight of the redundancy term and how columns are standardised."""
        super().__init__(encoder, settings)
        self.off_diagonal_weight = settings.off_diagonal_weight
        self.std: Std = settings.std

    def objective(self, first: Tensor, second: Tensor) -> Tensor:
        """Return the Barlow Twins loss of the two views."""
        return barlow_twins_loss(first, second, self.off_diagonal_weight, std=self.std)
