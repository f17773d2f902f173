"""Orchestra: clients predict clusters that the server forms of all clients' clusters.

Lubana et al. 2022. The server's part is the aggregator `orchestra`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, log_softmax, normalize, softmax

from fedssl.backbones.encoder import Encoder
from fedssl.methods.base import Method
from fedssl.methods.clusters import local_clusters
from fedssl.methods.layers import (
    embedding_dim,
    linear,
    seeded_by_head,
    with_projection,
)
from fedssl.methods.momentum import MomentumEncoder
from fedssl.methods.newest import Newest
from fedssl.settings import Count, Share, Temperature, Width
from fedssl.views.bank_views import Views

_TURNS = 4


class Turned(NamedTuple):
    """Two views of each sample and a third one turned by `turns` x 90 degrees, as one batch."""

    views: Tensor
    turns: Tensor


class Orchestra(Method):
    """Orchestra with the authors' MLP in place of the encoder's head.

    The MLP has batch norm inside and, without scale, at its end. As in the authors' code, the
    target network travels with the encoder, a client's memory stays with it, and the first round
    only clusters. There the memory starts anew in every round of their simulation.
    """

    sent = (*Method.sent, "target.", "rotation.", "centroids", "rounds")
    kept = ("memory.",)

    @dataclass(frozen=True)
    class Settings(Method.Settings):
        """Settings of Orchestra; those of the authors' code."""

        temperature: Temperature = 0.1
        """Temperature of the cluster assignments. Stated by the authors' code."""

        momentum: Share = 0.996
        """Momentum of the target network. Stated by the authors' code."""

        projection_hidden: Width = 512
        """Hidden units of the MLP. Stated by the authors' code."""

        projection_dim: Width = 512
        """Width of the MLP's output. Stated by the authors' code."""

        global_clusters: Count = 128
        """Clusters of the server. Stated by the authors' code."""

        local_clusters: Count = 16
        """Clusters of a client. Stated by the authors' code."""

        memory: Count = 128
        """Embeddings that a client clusters. Stated by the authors' code."""

        modalities: ClassVar[tuple[str, ...]] = ("image",)
        needs: ClassVar[Mapping[str, str]] = {"aggregator": "orchestra"}

    centroids: Tensor
    local_centroids: Tensor
    rounds: Tensor
    settings: Settings

    def __init__(self, encoder: Encoder, settings: Settings) -> None:
        """Add the target network, the memory, the clusters and the layer that predicts turns."""
        sizes = {"hidden": settings.projection_hidden, "dim": settings.projection_dim}
        encoder = with_projection(encoder, **sizes)
        norm = nn.BatchNorm1d(settings.projection_dim, affine=False)
        encoder.head = nn.Sequential(encoder.head, norm)
        super().__init__(encoder, settings)
        dim, generator = embedding_dim(encoder), seeded_by_head(encoder, "initialise orchestra")
        self.target = MomentumEncoder(self.backbone, self.head)
        self.rotation = linear(dim, _TURNS)
        nn.init.normal_(self.rotation.weight, std=dim**-0.5, generator=generator)
        self.memory = Newest(torch.zeros(settings.memory, dim))
        first = torch.randn(settings.global_clusters, dim, generator=generator)
        self.register_buffer("centroids", normalize(first))
        self.register_buffer("local_centroids", torch.zeros(settings.local_clusters, dim))
        self.register_buffer("rounds", torch.zeros((), dtype=torch.int64))
        self._only_clusters = True

    def draw(self, source: Views, indices: np.ndarray, rng: np.random.Generator) -> Any:
        """Draw three views of each sample, and how far the third one is turned."""
        views = [source.draw(indices, rng) for _ in range(3)]
        return views, source.staged(rng.integers(_TURNS, size=len(indices)))

    def render(self, source: Views, drawn: Any) -> Turned:
        """Return the three views, (3, batch, 3, size, size), the third one turned."""
        first, second, third = (source.render(view) for view in drawn[0])
        turns = source.on_device(drawn[1])
        return Turned(torch.stack([first, second, turned(third, turns)]), turns)

    def training_step(self, batch: Turned) -> Tensor:
        """Return the loss: cross-entropy of clusters and of turns.

        In the first round, when there are no clusters, fill the memory and return 0.
        """
        first, second, third = batch.views
        target = normalize(self.target(first), dim=1)
        self.memory.add(target)
        if self._only_clusters:
            return target.new_zeros(())
        embedded = normalize(self(second).float(), dim=1)
        turns = self.rotation(self(third))
        with torch.autocast(target.device.type, enabled=False):
            wanted = softmax(target @ self.centroids.T / self.settings.temperature, dim=1)
            found = log_softmax(embedded @ self.centroids.T / self.settings.temperature, dim=1)
            clusters = -(wanted * found).sum(dim=1).mean()
            return clusters + cross_entropy(turns.float(), batch.turns)

    def start_round(self) -> None:
        """See whether the server has formed clusters; a step must not wait for a GPU's answer."""
        self._only_clusters = int(self.rounds) == 0

    def after_step(self, progress: float) -> None:
        """Let the target follow the encoder."""
        self.target.follow(self.backbone, self.head, momentum=self.settings.momentum)

    @torch.no_grad()
    def finish_round(self) -> None:
        """Cluster the memory; the aggregator sends the centres to the server."""
        if len(embeddings := self.memory.filled()):
            centres = local_clusters(embeddings, self.settings.local_clusters)
            self.local_centroids.copy_(centres)


def turned(images: Tensor, turns: Tensor) -> Tensor:
    """Return images (batch, channels, size, size), each turned by its number of right angles."""
    every = torch.stack([images.rot90(turn, (2, 3)) for turn in range(_TURNS)])
    return every[turns, torch.arange(len(images), device=images.device)]
