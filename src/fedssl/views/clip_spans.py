"""Where ACOP cuts its clips: equal lengths, equal gaps, one random start (VCOP's scheme)."""

import numpy as np


def clip_spans(
    spans: np.ndarray, rng: np.random.Generator, *, n_clips: int, clip: int, gap: int
) -> np.ndarray:
    """Return (batch, n_clips, 2) [start, stop) positions of clips, in the order of time.

    `spans` holds each recording's [start, stop); `clip` and `gap` are in samples. A recording too
    short for that narrows its gaps, and one shorter than `n_clips` clips is dealt out whole, in
    equal shares without a gap.
    """
    length = spans[:, 1] - spans[:, 0]
    spare = np.maximum(length - n_clips * clip, 0)
    gaps = np.minimum(gap, spare // (n_clips - 1))
    clips = np.minimum(clip, length // n_clips)
    slack = length - n_clips * clips - (n_clips - 1) * gaps
    first = spans[:, 0] + rng.integers(slack + 1)
    starts = first[:, None] + np.arange(n_clips) * (clips + gaps)[:, None]
    return np.stack([starts, starts + clips[:, None]], axis=2)
