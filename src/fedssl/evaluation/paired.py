"""Combine the features of an image and a sound into one row per pair (fssuavl 4.2 and 4.3).

The linear probe of table 4 reads `mean_features`, and the kNN of table 5 `joined_features`.
"""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from fedssl.errors import UserError
from fedssl.evaluation.similarity import unit_rows


def pair_features(protocol: str, features: Mapping[str, Tensor]) -> Tensor:
    """Return one row per pair, from the features of one or both modalities.

    Features of one modality are returned as they are. Those of both are averaged for the protocol
    `transfer`, and joined for kNN.
    """
    if len(features) == 1:
        return next(iter(features.values()))
    join = mean_features if protocol == "transfer" else joined_features
    return join(features["image"], features["audio"])


def mean_features(image: Tensor, audio: Tensor) -> Tensor:
    """Return the mean features of each pair, (pairs, dim), for the linear probe.

    Raises:
        UserError: the features have different shapes, or are not (pairs, dim).
    """
    # Table 4 averages the logits of the image and the sound, which one shared linear layer gives.
    # (W i + b + W a + b) / 2 = W (i + a) / 2 + b, so a probe on the mean features is the same
    # classifier with the same cross-entropy.
    if image.shape != audio.shape or image.ndim != 2:
        shapes = f"{tuple(image.shape)} and {tuple(audio.shape)}"
        raise UserError(f"Paired features are {shapes}; both must be (pairs, dim).")
    return (image.float() + audio.float()) / 2


def joined_features(image: Tensor, audio: Tensor) -> Tensor:
    """Return the concatenated features of each pair, for kNN (table 5).

    The result is (pairs, image dim + audio dim), with rows of norm 1. The two dims may differ.

    Raises:
        UserError: the numbers of images and sounds differ, or a feature is not finite.
    """
    if len(image) != len(audio):
        raise UserError(
            f"There are {len(image)} images and {len(audio)} sounds; pairs need equal numbers."
        )
    # paper: does not say how the two are joined; here: each is normalised first, so that neither
    # modality outweighs the other in the cosine similarity.
    parts = [unit_rows(image, name="images"), unit_rows(audio, name="sounds")]
    return unit_rows(torch.cat(parts, dim=1), name="pairs")


def num_parameters(*encoders: nn.Module) -> int:
    """Return the number of parameters of all encoders; shared ones count once (table 5)."""
    return sum(parameter.numel() for parameter in nn.ModuleList(encoders).parameters())
