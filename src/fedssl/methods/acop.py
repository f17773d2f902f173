"""ACOP: predict the order in which clips of one recording are presented.

fassl names the method and gives no details; here: the audio analogue of video clip order
prediction (VCOP, Xu et al. 2019), with the settings of the authors' video study.
"""

import itertools
import math
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from fedssl.backbones.encoder import Encoder
from fedssl.data.banks.bank import SAMPLE_RATE
from fedssl.errors import UserError
from fedssl.methods.base import Method
from fedssl.methods.layers import linear, seeded_by_head
from fedssl.settings import Clips, ClipSeconds, DropoutRate, Seconds
from fedssl.views.bank_views import DrawnWindows, Views
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


class DrawnClips(NamedTuple):
    """A `ClipBatch` in host memory, before its views are computed.

    Attributes:
        windows: the clips, in the order presented.
        labels: as in `ClipBatch`.
        kept: (batch, hidden) bool, the hidden units that are not left out.
    """

    windows: DrawnWindows
    labels: Tensor
    kept: Tensor


class OrderHead(nn.Module):
    """Classifies the order of clips from the features of every pair of them."""

    def __init__(self, num_features: int, *, n_clips: int, generator: torch.Generator) -> None:
        """Draw the layers' first weights from `generator`, as VCOP's head does."""
        super().__init__()
        self._pairs = list(itertools.combinations(range(n_clips), 2))
        self.num_hidden = _HIDDEN * len(self._pairs)
        self.fc1 = linear(2 * num_features, _HIDDEN)
        self.fc2 = linear(self.num_hidden, math.factorial(n_clips))
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

    @dataclass(frozen=True)
    class Settings(Method.Settings):
        """Settings of ACOP; fassl states none of them."""

        n_clips: Clips = 3
        """Clips cut from a recording, and put in order. Decided."""

        clip_seconds: ClipSeconds = 2.0
        """Length of a clip, seconds; shorter in short recordings. Decided."""

        gap_seconds: Seconds = 1.0
        """Gap between clips, seconds; smaller in short recordings. Decided."""

        dropout: DropoutRate = 0.5
        """Share of the head's hidden units that a step leaves out. Decided."""

        modalities: ClassVar[tuple[str, ...]] = ("audio",)

    def __init__(self, encoder: Encoder, settings: Settings) -> None:
        """Keep how recordings are cut, and put the order's head in place of the encoder's."""
        generator = seeded_by_head(encoder, "initialise acop head")
        super().__init__(encoder, settings)
        n_clips = settings.n_clips
        head = OrderHead(encoder.num_features, n_clips=n_clips, generator=generator)
        self.head, self._num_hidden = head, head.num_hidden
        self.orders = np.array(list(itertools.permutations(range(n_clips))))
        self._cut = {
            "n_clips": n_clips,
            "clip": round(settings.clip_seconds * SAMPLE_RATE),
            "gap": round(settings.gap_seconds * SAMPLE_RATE),
        }
        self._dropout = settings.dropout

    def forward(self, inputs: Tensor, dropout: Tensor | None = None) -> Tensor:
        """Return logits of the orders: (batch, n_clips, 3, size, size) -> (batch, n_clips!)."""
        features = self.backbone(inputs.flatten(0, 1)).unflatten(0, (len(inputs), -1))
        logits: Tensor = self.head(features, dropout)
        return logits

    def draw(self, source: Views, indices: np.ndarray, rng: np.random.Generator) -> DrawnClips:
        """Read clips of each sample in a random order; UserError if the bank holds images."""
        spans = _recordings(source, indices)
        clips = clip_spans(spans, rng, **self._cut)
        ranks = rng.integers(len(self.orders), size=len(indices))
        shown = np.take_along_axis(clips, self.orders[ranks][:, :, None], axis=1)
        windows = source.draw_windows(shown.reshape(-1, 2), rng)
        kept = rng.random((len(indices), self._num_hidden), dtype=np.float32) >= self._dropout
        return DrawnClips(windows, source.staged(ranks), source.staged(kept))

    def render(self, source: Views, drawn: DrawnClips) -> ClipBatch:
        """Return the clips that `draw` has drawn, on the device."""
        labels, kept = source.on_device(drawn.labels), source.on_device(drawn.kept)
        images = source.render_windows(drawn.windows)
        images = images.view(len(labels), -1, *images.shape[1:])
        return ClipBatch(images, labels, kept / (1.0 - self._dropout))

    def training_step(self, batch: ClipBatch) -> Tensor:
        """Return the loss of a batch of `views`."""
        # Logits are (batch, n_clips!), one for each order.
        return cross_entropy(self(batch.clips, batch.dropout).float(), batch.labels)


def _recordings(source: Views, indices: np.ndarray) -> np.ndarray:
    """Return each sample's [start, stop) in the waveforms of the bank, (batch, 2)."""
    offsets = source.bank.offsets
    if offsets is None:
        raise UserError(
            f"acop orders clips in time and {source.bank.dataset} holds images; "
            "give acop a split with audio only, a100-i0-b0."
        )
    return np.stack([offsets[indices], offsets[indices + 1]], axis=1)
