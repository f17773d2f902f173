"""Choose the clips that ACOP puts in order: equal lengths, equal gaps and one random start.

The FASSL paper is not available to us, and no source expands "ACOP". We read it as audio clip
order prediction, and follow the scheme of VCOP, its counterpart for video.
"""

import numpy as np


def clip_spans(
    spans: np.ndarray, rng: np.random.Generator, *, n_clips: int, clip: int, gap: int
) -> np.ndarray:
    """Return the [start, stop) positions of each recording's clips, (batch, n_clips, 2).

    The clips of a recording are in the order of time.

    Args:
        spans: [start, stop) of each recording, (batch, 2).
        rng: draws one start per recording.
        n_clips: clips per recording.
        clip: samples per clip.
        gap: samples between two clips.
    """
    length = spans[:, 1] - spans[:, 0]
    # A recording that is too short gets narrower gaps first. If it is shorter than `n_clips`
    # clips, the clips become shorter too and cover the recording without gaps. Clips of another
    # length do no harm: every view is resized to the same image.
    spare = np.maximum(length - n_clips * clip, 0)
    gaps = np.minimum(gap, spare // (n_clips - 1))
    clips = np.minimum(clip, length // n_clips)
    slack = length - n_clips * clips - (n_clips - 1) * gaps
    first = spans[:, 0] + rng.integers(slack + 1)
    starts = first[:, None] + np.arange(n_clips) * (clips + gaps)[:, None]
    return np.stack([starts, starts + clips[:, None]], axis=2)
