"""ACOP: predict the order in which clips of one recording are presented.

fassl names the method and gives no details; here: the audio analogue of video clip order
prediction (VCOP, Xu et al. 2019), with the settings of the authors' video study.
"""

import itertools
import math
import zlib
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from fedssl.backbones.encoder import Encoder
from fedssl.data.banks.bank import SAMPLE_RATE
from fedssl.errors import UserError
from fedssl.methods.base import Method
from fedssl.randomness import torch_seed
from fedssl.views.bank_views import Views
from fedssl.views.clip_spans import clip_spans

_HIDDEN = 512


class ClipBatch(NamedTuple):
    """Shuffled clips, which permutation each sample got, and the dropout of the head.

    Attributes:
        clips: (batch, n_clips, 3, size, size), in the order presented.
        labels: (batch,) int64, ranks among the permutations in lexicographic order.
        dropout: (batch, hidden) factors of the head's hidden units, 0 or 1 / (1 - rate).
    """

    clips: Tensor
    labels: Tensor
    dropout: Tensor


class OrderHead(nn.Module):
    """Classifies the order of clips from the features of every pair of them."""

    def __init__(self, num_features: int, *, n_clips: int, generator: torch.Generator) -> None:
        """Draw the layers' first weights from `generator`, as VCOP's head does."""
        super().__init__()
        self._pairs = list(itertools.combinations(range(n_clips), 2))
        self.num_hidden = _HIDDEN * len(self._pairs)
        self.fc1 = _linear(2 * num_features, _HIDDEN)
        self.fc2 = _linear(self.num_hidden, math.factorial(n_clips))
        nn.init.kaiming_normal_(
            self.fc1.weight, mode="fan_out", nonlinearity="relu", generator=generator
        )
        nn.init.normal_(self.fc2.weight, std=0.001, generator=generator)

    def forward(self, features: Tensor, dropout: Tensor | None = None) -> Tensor:
        """Return logits (batch, n_clips!) of features (batch, n_clips, num_features).

        `dropout` multiplies the hidden units, (batch, num_hidden); without it all are kept.
        """
        pairs = torch.stack([features[:, pair].flatten(1) for pair in self._pairs], dim=1)
        hidden = self.fc1(pairs).relu().flatten(1)
        logits: Tensor = self.fc2(hidden if dropout is None else hidden * dropout)
        return logits


class ACOP(Method):
    """Audio clip order prediction on the pooled features of a shared backbone.

    Its head takes the place of the encoder's: order is read from features, not embeddings.
    """

    def __init__(
        self,
        encoder: Encoder,
        *,
        n_clips: int,
        clip_seconds: float,
        gap_seconds: float,
        dropout: float,
    ) -> None:
        """Keep how recordings are cut; `dropout` is the share of the head's hidden units."""
        generator = _head_generator(encoder)
        super().__init__(encoder)
        head = OrderHead(encoder.num_features, n_clips=n_clips, generator=generator)
        self.head, self._num_hidden = head, head.num_hidden
        self.orders = np.array(list(itertools.permutations(range(n_clips))))
        self._cut = {
            "n_clips": n_clips,
            "clip": round(clip_seconds * SAMPLE_RATE),
            "gap": round(gap_seconds * SAMPLE_RATE),
        }
        self._dropout = dropout

    def forward(self, inputs: Tensor, dropout: Tensor | None = None) -> Tensor:
        """Return logits of the orders: (batch, n_clips, 3, size, size) -> (batch, n_clips!)."""
        features = self.backbone(inputs.flatten(0, 1)).unflatten(0, (len(inputs), -1))
        logits: Tensor = self.head(features, dropout)
        return logits

    def views(self, source: Views, indices: np.ndarray, rng: np.random.Generator) -> ClipBatch:
        """Return clips of each sample in a random order; UserError if the bank holds images."""
        spans = _recordings(source, indices)
        clips = clip_spans(spans, rng, **self._cut)
        ranks = rng.integers(len(self.orders), size=len(indices))
        shown = np.take_along_axis(clips, self.orders[ranks][:, :, None], axis=1)
        images = source.augmented_windows(shown.reshape(-1, 2), rng)
        images = images.view(len(indices), -1, *images.shape[1:])
        kept = rng.random((len(indices), self._num_hidden), dtype=np.float32) >= self._dropout
        dropout = torch.from_numpy(kept).to(images.device) / (1.0 - self._dropout)
        return ClipBatch(images, torch.from_numpy(ranks).to(images.device), dropout)

    def training_step(self, batch: Any, _batch_idx: int = 0) -> Tensor:
        """Return the loss of a batch of `views`."""
        return self.objective(self(batch.clips, batch.dropout).float(), batch.labels)

    def objective(self, first: Tensor, second: Tensor) -> Tensor:
        """Return the cross-entropy of logits (batch, n_clips!) and true orders (batch,)."""
        return cross_entropy(first, second)


def build(
    encoder: Encoder, *, n_clips: int, clip_seconds: float, gap_seconds: float, dropout: float
) -> ACOP:
    """Return the ACOP module."""
    return ACOP(
        encoder,
        n_clips=n_clips,
        clip_seconds=clip_seconds,
        gap_seconds=gap_seconds,
        dropout=dropout,
    )


def _recordings(source: Views, indices: np.ndarray) -> np.ndarray:
    """Return each sample's [start, stop) in the waveforms of the bank, (batch, 2)."""
    offsets = source.bank.offsets
    if offsets is None:
        raise UserError(
            f"acop orders clips in time and {source.bank.dataset} holds images; "
            "give acop a split with audio only, a100-i0-b0."
        )
    return np.stack([offsets[indices], offsets[indices + 1]], axis=1)


def _linear(in_features: int, out_features: int) -> nn.Linear:
    """Return a linear layer without a draw from the global generator; its bias is 0."""
    layer = nn.Linear(in_features, out_features, device="meta").to_empty(device="cpu")
    nn.init.zeros_(layer.bias)
    return layer


def _head_generator(encoder: Encoder) -> torch.Generator:
    """Return the generator of the head's first weights, seeded by the encoder's own head.

    That head is a function of the cell's seed, and so the new one is, too.
    """
    key = 0
    for parameter in encoder.head.parameters():
        key = zlib.crc32(parameter.detach().cpu().numpy().tobytes(), key)
    return torch.Generator().manual_seed(torch_seed(key, "initialise acop head"))
