"""Audio-visual recognition: one label, seen and heard (fssuavl sections 4.2, 4.3; tables 4, 5).

An image's and a sound's features become one row a pair, and the row goes to the linear probe
(`mean_features`) or to kNN (`joined_features`).
"""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from fedssl.errors import UserError
from fedssl.evaluation.similarity import unit_rows


def pair_features(protocol: str, features: Mapping[str, Tensor]) -> Tensor:
    """Return one row a pair from the modalities that are shown, `image` before `audio`.

    One modality's features stay as they are; two are averaged for `transfer` and joined for kNN.
    """
    if len(features) == 1:
        return next(iter(features.values()))
    join = mean_features if protocol == "transfer" else joined_features
    return join(features["image"], features["audio"])


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


def num_parameters(*encoders: nn.Module) -> int:
    """Return the number of parameters of all encoders together, shared ones once (table 5)."""
    return sum(parameter.numel() for parameter in nn.ModuleList(encoders).parameters())
