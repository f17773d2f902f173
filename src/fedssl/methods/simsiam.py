"""SimSiam: one view's embedding predicts the other's, without a gradient (Chen and He 2021)."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import cosine_similarity

from fedssl.backbones.encoder import Encoder
from fedssl.methods.layers import embedding_dim, predictor
from fedssl.methods.two_views import TwoViews
from fedssl.settings import Count


def simsiam_loss(predicted: Tensor, embedded: Tensor) -> Tensor:
    """Return the negative mean cosine (scalar) of rows, (batch, dim) each, from -1 to 1.

    Chen and He equation 1 with the stop-gradient of equation 3: no gradient reaches `embedded`.
    """
    return -cosine_similarity(predicted, embedded.detach(), eps=1e-12).mean()


class SimSiam(TwoViews):
    """SimSiam whose projection is the encoder's 128-d head, normalised over the batch.

    paper: a 2048-d MLP of three layers projects, with batch norm without scale at its end; here:
    the head as in the other methods, followed by that batch norm. The predictor is averaged with
    the encoder, as in the code of FedU, which compares with SimSiam.
    """

    sent = (*TwoViews.sent, "predictor.", "norm.")

    @dataclass(frozen=True)
    class Settings(TwoViews.Settings):
        """Settings of SimSiam."""

        predictor_hidden: Count = 32
        """Hidden units of the predictor. Decided: a quarter of the embedding, as in the paper,
        which has 512 of 2048."""

    def __init__(self, encoder: Encoder, settings: Settings) -> None:
        """Add the batch norm at the end of the projection, and the predictor."""
        super().__init__(encoder, settings)
        hidden = settings.predictor_hidden
        self.norm = nn.BatchNorm1d(embedding_dim(encoder), affine=False)
        self.predictor = predictor(encoder, hidden=hidden, purpose="initialise simsiam predictor")

    def training_step(self, batch: Tensor) -> Tensor:
        """Return the symmetric loss of two views, (2, batch, 3, size, size): from -1 to 1."""
        first, second = self.each_view(lambda view: self.norm(self(view)), batch)
        one, two = self.each_view(self.predictor, torch.stack([first, second]))
        with torch.autocast(first.device.type, enabled=False):
            first, second, one, two = (rows.float() for rows in (first, second, one, two))
            # Equation 2.
            return simsiam_loss(one, second) / 2.0 + simsiam_loss(two, first) / 2.0
