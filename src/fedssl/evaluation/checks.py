"""Check the labels that a protocol is given."""

from torch import Tensor

from fedssl.errors import UserError


def check_labels(labels: Tensor, *, samples: int, num_classes: int) -> None:
    """Raise UserError unless each of the samples has one label in [0, num_classes)."""
    if labels.shape != (samples,) or samples == 0:
        raise UserError(
            f"Labels have the shape {tuple(labels.shape)} for {samples} samples; there must be at "
            "least one sample, and one label per sample."
        )
    low, high = (int(extreme) for extreme in labels.aminmax())
    if low < 0 or high >= num_classes:
        raise UserError(
            f"Labels run from {low} to {high}; they must be between 0 and {num_classes - 1}."
        )
