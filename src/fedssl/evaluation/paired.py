"""Audio-visual recognition: one label, seen and heard (fssuavl sections 4.2, 4.3; tables 4, 5).

An image's and a sound's features become one row a pair, and the row goes to the linear probe
(`mean_features`) or to kNN (`joined_features`).
"""

import numpy as np
import torch
from torch import Tensor, nn

from fedssl.errors import UserError
from fedssl.evaluation.similarity import unit_rows
from fedssl.randomness import stream


def mean_features(image: Tensor, audio: Tensor) -> Tensor:
    """Return the mean of each pair's features, (pairs, dim), for the linear probe.

    Table 4's class is the argmax of the mean of the image's and the sound's logits. Both come
    from one shared linear layer, (W i + b + W a + b) / 2 = W (i + a) / 2 + b, so the probe on the
    mean features is that classifier, and its cross-entropy the one on the mean logits.

    Raises:
        UserError: The features are not (pairs, dim) both.
    """
    if image.shape != audio.shape or image.ndim != 2:
        shapes = f"{tuple(image.shape)} and {tuple(audio.shape)}"
        raise UserError(f"Paired features are {shapes}; a shared layer needs (pairs, dim) twice.")
    return (image.float() + audio.float()) / 2


def joined_features(image: Tensor, audio: Tensor) -> Tensor:
    """Return (pairs, image dim + audio dim) rows of norm 1, for kNN (table 5).

    paper: how the two are joined is not stated; here: each is divided by its norm and then both
    by theirs, so neither modality outweighs the other. Widths may differ: two specialists.

    Raises:
        UserError: The numbers of images and sounds differ, or a feature is not finite.
    """
    if len(image) != len(audio):
        raise UserError(f"{len(image)} images and {len(audio)} sounds are no pairs.")
    parts = [unit_rows(image, name="images"), unit_rows(audio, name="sounds")]
    return unit_rows(torch.cat(parts, dim=1), name="pairs")


def pair_by_label(image_labels: np.ndarray, audio_labels: np.ndarray, *, seed: int) -> np.ndarray:
    """Return the position of an image with the same label for each sound, none of them twice.

    Pair a training split with a training split and a test split with a test split.

    Raises:
        UserError: A label has fewer images than sounds.
    """
    rng = stream(seed, "pairing")
    positions = np.empty(len(audio_labels), dtype=np.int64)
    for label in np.unique(audio_labels):
        sounds, images = audio_labels == label, np.flatnonzero(image_labels == label)
        if len(images) < sounds.sum():
            raise UserError(
                f"Label {label} has {len(images)} images for {sounds.sum()} sounds; pairing "
                "without repetition needs as many."
            )
        positions[sounds] = rng.permutation(images)[: sounds.sum()]
    return positions


def num_parameters(*encoders: nn.Module) -> int:
    """Return the number of parameters of all encoders together, shared ones once (table 5)."""
    return sum(parameter.numel() for parameter in nn.ModuleList(encoders).parameters())
