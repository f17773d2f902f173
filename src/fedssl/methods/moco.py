"""MoCo v2: a view picks its partner out of a queue of earlier keys.

He et al. 2020 (MoCo) and Chen et al. 2020 (MoCo v2).
"""

from dataclasses import dataclass
from typing import Annotated, Any, NamedTuple, cast

import torch
from annotated_types import Ge, Le
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, normalize

from fedssl.backbones.encoder import Encoder
from fedssl.methods.base import Method
from fedssl.methods.layers import embedding_dim, seeded_by_head
from fedssl.methods.momentum import MomentumEncoder
from fedssl.methods.newest import Newest
from fedssl.settings import Share, Temperature
from fedssl.views.bank_views import Views


def info_nce(queries: Tensor, keys: Tensor, queue: Tensor, *, temperature: float) -> Tensor:
    """Return the InfoNCE loss (scalar) of rows of norm 1.

    He et al. equation 1: `queries` and their `keys` (batch, dim), negatives `queue` (size, dim).
    """
    positive = (queries * keys).sum(dim=1, keepdim=True)
    logits = torch.cat([positive, queries @ queue.T], dim=1) / temperature
    return cross_entropy(logits, torch.zeros(len(logits), dtype=torch.int64, device=logits.device))


class Pairs(NamedTuple):
    """Two views of each sample, (2, batch, 3, size, size), and the modality they are of."""

    views: Tensor
    modality: str


class MoCo(Method):
    """MoCo v2 whose projection is the encoder's 128-d head, as it is for the other methods.

    paper: an MLP projects, and batches are shuffled over GPUs for batch norm; here: the head
    alone, and no shuffling on the one device. A queue for each modality, because all negatives of
    a batch are of its modality (fssuavl section 3.1). In a federation the queues stay with their
    client, and the key encoder starts as a copy of the received encoder: both are chosen here.
    """

    kept = ("queues.",)

    @dataclass(frozen=True)
    class Settings(Method.Settings):
        """Settings of MoCo v2."""

        temperature: Temperature = 0.2
        """Temperature of the softmax. Stated by Chen et al."""

        momentum: Share = 0.999
        """Momentum of the key encoder. Stated by He et al."""

        queue: Annotated[int, Ge(1), Le(10_000_000)] = 4096
        """Keys in a queue. Chosen for clients with few samples; He et al. have 65536."""

    def __init__(self, encoder: Encoder, settings: Settings) -> None:
        """Add the key encoder and the queues."""
        super().__init__(encoder, settings)
        self._temperature, self._momentum = settings.temperature, settings.momentum
        generator = seeded_by_head(encoder, "initialise moco queues")
        size = (settings.queue, embedding_dim(encoder))
        # The first keys are random directions.
        first = {m: normalize(torch.randn(size, generator=generator)) for m in settings.modalities}
        self.queues = nn.ModuleDict({m: Newest(rows) for m, rows in first.items()})
        self.key_encoder = MomentumEncoder(self.backbone, self.head)
        self._new: tuple[str, Tensor] | None = None

    def render(self, source: Views, drawn: Any) -> Pairs:
        """Return two augmented views of each sample, and their modality."""
        return Pairs(super().render(source, drawn), source.bank.modality)

    def training_step(self, batch: Pairs) -> Tensor:
        """Return the loss of first views as queries, with second views as keys."""
        first, second = batch.views.unbind()
        embedded, keys = self(first).float(), self.key_encoder(second)
        with torch.autocast(embedded.device.type, enabled=False):
            queries, keys = normalize(embedded, eps=1e-12), normalize(keys, eps=1e-12)
            # Only after the step: a key must not be a negative of its own query.
            self._new = (batch.modality, keys)
            queue = self._queue(batch.modality).rows
            return info_nce(queries, keys, queue, temperature=self._temperature)

    def start_round(self) -> None:
        """Let the key encoder be the received encoder."""
        self.key_encoder.restart(self.backbone, self.head)

    def after_step(self, progress: float) -> None:
        """Let the key encoder follow, and put the step's keys into their queue."""
        self.key_encoder.follow(self.backbone, self.head, momentum=self._momentum)
        if self._new is not None:
            modality, keys = self._new
            self._queue(modality).add(keys)

    def _queue(self, modality: str) -> Newest:
        return cast(Newest, self.queues[modality])
