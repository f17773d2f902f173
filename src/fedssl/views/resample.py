"""Crop, flip, resize and blur images by multiplication with matrices.

All four operations are linear and separable. The view of an image X is therefore L X R', with one
small matrix L for the rows and one matrix R for the columns. Two batched matrix products compute
the views of a whole batch on any device, and every sample can have its own draws.
"""

import torch
from torch import Tensor


def crop_matrix(start: Tensor, extent: Tensor, *, in_size: int, out_size: int) -> Tensor:
    """Return matrices that crop [start, start + extent) and resize, (batch, out_size, in_size).

    `start` and `extent` are in whole pixels, (batch,) each.
    """
    # Bilinear with antialiasing, as in PIL and torchvision: a triangle filter, which becomes
    # wider if the crop is larger than the output.
    scale = extent / out_size
    support = scale.clamp(min=1.0)
    grid = torch.arange(out_size, device=start.device, dtype=torch.float32)
    centre = start[:, None] + (grid + 0.5) * scale[:, None] - 0.5
    pixel = torch.arange(in_size, device=start.device, dtype=torch.float32)
    distance = (pixel - centre[:, :, None]).abs() / support[:, None, None]
    # Pixels outside the crop must not contribute; at the border the rest is renormalised.
    inside = (pixel >= start[:, None]) & (pixel < (start + extent)[:, None])
    weights = (1.0 - distance).clamp(min=0.0) * inside[:, None, :]
    return weights / weights.sum(dim=2, keepdim=True)


def blur_matrix(sigma: Tensor, *, size: int) -> Tensor:
    """Return matrices of a Gaussian blur, (batch, size, size).

    `sigma` is in pixels, (batch,); 0 gives the identity. At the border the kernel is cut off and
    renormalised.
    """
    pixel = torch.arange(size, device=sigma.device, dtype=torch.float32)
    distance = (pixel[:, None] - pixel[None, :]).square()
    # The minimum avoids 0 / 0 for sigma 0. All weights but the central one are then exp(-large).
    variance = sigma.square().clamp(min=1e-6)[:, None, None]
    weights = torch.exp(-distance / (2.0 * variance))
    return weights / weights.sum(dim=2, keepdim=True)


def apply_matrices(inputs: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """Return rows @ X @ columns' for each sample and channel, (batch, channels, out, out).

    Args:
        inputs: (batch, height, width, channels).
        rows: (batch, out, height).
        columns: (batch, out, width).
    """
    # The rows come first because channels-last images need no copy for that product.
    batch, height, width, channels = inputs.shape
    tall = torch.bmm(rows, inputs.reshape(batch, height, width * channels))
    tall = tall.view(batch, -1, width, channels).permute(0, 3, 1, 2)
    wide = torch.bmm(tall.reshape(batch, -1, width), columns.transpose(1, 2))
    return wide.view(batch, channels, rows.shape[1], columns.shape[1])
