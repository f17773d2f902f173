"""Crop, flip, resize and blur as matrices.

All four are separable and linear, so a view of an image X is L X R' with one small matrix a side
and sample. Two batched products then do the spatial work of a whole batch, each sample with its
own draw, on any device.
"""

import torch
from torch import Tensor


def crop_matrix(start: Tensor, extent: Tensor, *, in_size: int, out_size: int) -> Tensor:
    """Return (batch, out_size, in_size) matrices that cut [start, start + extent) and resize it.

    Bilinear with antialiasing, as PIL and torchvision resize: a triangle filter that widens where
    the crop is larger than the output. `start` and `extent` are whole pixels, (batch,) each.
    """
    scale = extent / out_size
    support = scale.clamp(min=1.0)
    grid = torch.arange(out_size, device=start.device, dtype=torch.float32)
    centre = start[:, None] + (grid + 0.5) * scale[:, None] - 0.5
    pixel = torch.arange(in_size, device=start.device, dtype=torch.float32)
    distance = (pixel - centre[:, :, None]).abs() / support[:, None, None]
    inside = (pixel >= start[:, None]) & (pixel < (start + extent)[:, None])
    weights = (1.0 - distance).clamp(min=0.0) * inside[:, None, :]
    return weights / weights.sum(dim=2, keepdim=True)


def blur_matrix(sigma: Tensor, *, size: int) -> Tensor:
    """Return (batch, size, size) Gaussian blurs; the kernel is cut and renormalised at the border.

    `sigma` is in pixels, (batch,); 0 leaves the sample as it is.
    """
    pixel = torch.arange(size, device=sigma.device, dtype=torch.float32)
    distance = (pixel[:, None] - pixel[None, :]).square()
    variance = sigma.square().clamp(min=1e-6)[:, None, None]
    weights = torch.exp(-distance / (2.0 * variance))
    return weights / weights.sum(dim=2, keepdim=True)


def apply_matrices(inputs: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """Return rows @ X @ columns' for each sample and channel.

    `inputs` is (batch, height, width, channels), `rows` (batch, out, height), `columns`
    (batch, out, width); the result is (batch, channels, out, out).
    """
    batch, height, width, channels = inputs.shape
    tall = torch.bmm(rows, inputs.reshape(batch, height, width * channels))
    tall = tall.view(batch, -1, width, channels).permute(0, 3, 1, 2)
    wide = torch.bmm(tall.reshape(batch, -1, width), columns.transpose(1, 2))
    return wide.view(batch, channels, rows.shape[1], columns.shape[1])
