"""Colour jitter and greyscale as affine maps of RGB, with draws of its own for each sample."""

import math
from functools import cache

import torch
from torch import Tensor
from torch.nn.functional import pad

from fedssl.views.constants import constant

# Weights of red, green and blue in the brightness of a pixel (ITU-R BT.601), as in PIL.
_LUMA = (0.299, 0.587, 0.114)
_RGB_TO_YIQ = ((0.299, 0.587, 0.114), (0.5959, -0.2746, -0.3213), (0.2115, -0.5227, 0.3112))
# The parts of an affine map: red, green and blue as they are, all three as grey, and the rest.
_RGB = ((1, 0, 0, 0), (0, 1, 0, 0), (0, 0, 1, 0), (0, 0, 0, 0))
_GREY = ((*_LUMA, 0), (*_LUMA, 0), (*_LUMA, 0), (0, 0, 0, 0))
_AFFINE = ((0, 0, 0, 0), (0, 0, 0, 0), (0, 0, 0, 0), (0, 0, 0, 1))
# The parts of a rotation of the plane of the last two of three axes.
_AXIS = ((1, 0, 0), (0, 0, 0), (0, 0, 0))
_COSINE = ((0, 0, 0), (0, 1, 0), (0, 0, 1))
_SINE = ((0, 0, 0), (0, 0, -1), (0, 1, 0))
_CONTRAST = 1


def colour_maps(numbers: Tensor, means: Tensor) -> Tensor:
    """Return affine maps of RGB, (batch, 4, 4): colour jitter, then greyscale.

    Args:
        numbers: (9, batch): factors of brightness, contrast, saturation and hue, the order of these
            steps as four rows, and 1 where colour is kept or 0 for greyscale.
        means: mean colour of each image, (batch, 3).
    """
    device = means.device
    factors, order, kept = numbers[:4], numbers[4:8].long(), numbers[8]
    steps = _jitter_steps(factors)
    chosen = steps.gather(0, order[:, :, None, None].expand(-1, -1, 4, 4))
    # How much of the mean grey value each step adds: only contrast does.
    offset = torch.where(order == _CONTRAST, 1 - factors[_CONTRAST], 0.0)
    start = torch.cat([means, torch.ones_like(means[:, :1])], dim=1)[:, :, None]
    luma = constant(_LUMA, device)
    colour = constant(_RGB, device).add(constant(_AFFINE, device)).expand(len(means), 4, 4)
    for step, added in zip(chosen, offset, strict=True):
        # The contrast step needs the mean colour of the image at this point of the sequence. The
        # mean of an affine map is the map of the mean, so no image has to be computed for it.
        current = torch.bmm(colour, start)[:, :3, 0]
        step[:, :3, 3] = (added * (current @ luma))[:, None]
        colour = torch.bmm(step, colour)
    return torch.bmm(_saturate(kept), colour)


def _jitter_steps(factors: Tensor) -> Tensor:
    """Return the four steps of the jitter as affine maps of RGB, (4, batch, 4, 4).

    The order is brightness, contrast, saturation, hue. Contrast has no offset yet.
    """
    brightness, contrast, saturation, hue = factors
    return torch.stack(
        [_scale(brightness), _scale(contrast), _saturate(saturation), _rotate_hue(hue)]
    )


def _scale(factor: Tensor) -> Tensor:
    """Return maps that multiply each pixel by a factor."""
    device = factor.device
    return factor[:, None, None] * constant(_RGB, device) + constant(_AFFINE, device)


def _saturate(factor: Tensor) -> Tensor:
    """Return maps that mix each pixel with its grey value: 0 gives grey, 1 the identity."""
    return _scale(factor) + (1 - factor)[:, None, None] * constant(_GREY, factor.device)


def _rotate_hue(turns: Tensor) -> Tensor:
    """Return maps that rotate the hue by a fraction of a full turn."""
    # torchvision changes the hue in HSV, which is not linear. A rotation of the colour plane of
    # YIQ is linear and similar, but not bit-identical.
    device, angle = turns.device, turns[:, None, None] * (2 * math.pi)
    plane = angle.cos() * constant(_COSINE, device) + angle.sin() * constant(_SINE, device)
    rotation = plane + constant(_AXIS, device)
    mixed = _to_rgb(device) @ rotation @ constant(_RGB_TO_YIQ, device)
    return pad(mixed, (0, 1, 0, 1)) + constant(_AFFINE, device)


@cache
def _to_rgb(device: torch.device) -> Tensor:
    """Return the inverse of the map to YIQ."""
    # Computed on the CPU: on a GPU, an inversion waits for the device to report its success.
    with torch.inference_mode(False):
        inverse: Tensor = torch.linalg.inv(torch.tensor(_RGB_TO_YIQ))
        return inverse.to(device)
