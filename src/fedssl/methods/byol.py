"""BYOL: one view's embedding predicts the other's, seen by a slow copy (Grill et al. 2020)."""

import math
from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor
from torch.nn.functional import cosine_similarity

from fedssl.backbones.encoder import Encoder
from fedssl.methods.layers import predictor, with_projection
from fedssl.methods.momentum import MomentumEncoder
from fedssl.methods.two_views import TwoViews
from fedssl.settings import Share, Width


def byol_loss(predicted: Tensor, target: Tensor) -> Tensor:
    """Return the mean squared distance (scalar) of normalised rows, (batch, dim) each.

    Grill et al. equation 2: 2 - 2 cos(predicted, target).
    """
    return (2.0 - 2.0 * cosine_similarity(predicted, target, eps=1e-12)).mean()


def momentum_at(progress: float, *, first: float) -> float:
    """Return the target's momentum, from `first` at 0 to 1 at the end (section 3.2, a cosine)."""
    return 1.0 - (1.0 - first) * (math.cos(math.pi * progress) + 1.0) / 2.0


class BYOL(TwoViews):
    """BYOL whose projection is the encoder's 128-d head, as in the other methods, or an MLP.

    paper: a 4096-256 MLP projects, and each view is a batch of its own; here: by default the head
    alone, and one batch of both views. Grill et al. have no federation. By default the predictor
    stays with its client, and the target starts as a copy of the received encoder: both are chosen
    here. FedU and FedEMA send the predictor, the target stays with its client, and an MLP projects.
    """

    @dataclass(frozen=True)
    class Settings(TwoViews.Settings):
        """Settings of BYOL."""

        kept_models: ClassVar[int] = 1
        """Models that a client keeps between its rounds: the target, if it stays."""

        projection: Literal["head", "mlp"] = "head"
        """What embeds the features: the encoder's linear head, or an MLP with batch norm in its
        place. Chosen: the head; Grill et al. and the code of FedU and FedEMA have an MLP."""

        projection_hidden: Width = 4096
        """Hidden units of the MLP. Stated by Grill et al. and by the code of FedU and FedEMA."""

        projection_dim: Width = 2048
        """Width of the MLP's output. Stated by the code of FedU and FedEMA; 256 in Grill et al."""

        predictor_hidden: Width = 4096
        """Hidden units of the predictor. Stated by Grill et al."""

        momentum: Share = 0.996
        """Momentum of the target network at the start, 1 at the end. Stated by Grill et al."""

        momentum_schedule: Literal["cosine", "constant"] = "cosine"
        """Whether the momentum rises to 1 by a cosine, as stated by Grill et al., or stays, as in
        the code of FedU and FedEMA."""

        predictor: Literal["stays", "travels"] = "stays"
        """Whether the predictor stays with its client or is averaged with the encoder. Chosen:
        stays; FedU and FedEMA average it."""

        target: Literal["restarts", "stays"] = "restarts"
        """Whether the target starts every round as the received encoder, or stays with its client
        from its first round on. Chosen: restarts; with FedU and FedEMA it stays."""

    settings: Settings

    def __init__(self, encoder: Encoder, settings: Settings) -> None:
        """Add a predictor and the target network."""
        if settings.projection == "mlp":
            sizes = {"hidden": settings.projection_hidden, "dim": settings.projection_dim}
            encoder = with_projection(encoder, **sizes)
        super().__init__(encoder, settings)
        hidden = settings.predictor_hidden
        self.predictor = predictor(encoder, hidden=hidden, purpose="initialise byol predictor")
        self.target = MomentumEncoder(self.backbone, self.head)
        if settings.predictor == "travels":
            self.sent = (*self.sent, "predictor.")
        else:
            self.kept = ("predictor.",)
        if settings.target == "stays":
            self.kept = (*self.kept, "target.")
            # Kept with the target: whether the client has one of its own.
            self.target.register_buffer("own", torch.zeros((), dtype=torch.bool))

    def training_step(self, batch: Tensor) -> Tensor:
        """Return the symmetric loss of two views, (2, batch, 3, size, size): from 0 to 8."""
        predicted = torch.cat(self.each_view(lambda view: self.predictor(self(view)), batch))
        first, second = self.each_view(self.target, batch)
        with torch.autocast(predicted.device.type, enabled=False):
            # The mean over 2N rows, twice: each view predicts the other.
            return 2.0 * byol_loss(predicted.float(), torch.cat([second, first]))

    def start_round(self) -> None:
        """Let the target be the received encoder, unless it is the client's own."""
        stays = self.settings.target == "stays"
        if not (stays and self.target.get_buffer("own")):
            self.target.restart(self.backbone, self.head)
        if stays:
            self.target.get_buffer("own").fill_(True)

    def after_step(self, progress: float) -> None:
        """Let the target follow the encoder."""
        momentum = self.settings.momentum
        if self.settings.momentum_schedule == "cosine":
            momentum = momentum_at(progress, first=momentum)
        self.target.follow(self.backbone, self.head, momentum=momentum)
