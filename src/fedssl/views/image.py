"""Image views: the expert augmentations of SimCLR (fssuavl section 3.4 and its reference [33])."""

import math
from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

from fedssl.views.resample import apply_matrices, blur_matrix, crop_matrix
from fedssl.views.settings import Image, ImageAugmentation

# Weights of red, green and blue in the brightness of a pixel (ITU-R BT.601), as in PIL.
_LUMA = (0.299, 0.587, 0.114)
_RGB_TO_YIQ = ((0.299, 0.587, 0.114), (0.5959, -0.2746, -0.3213), (0.2115, -0.5227, 0.3112))


def augmented_view(
    images: Tensor,
    rng: np.random.Generator,
    *,
    image: Image,
    augmentation: ImageAugmentation,
) -> Tensor:
    """Return one augmented view per image, (batch, 3, size, size), normalised.

    The order is resized crop, colour jitter, greyscale, blur, flip. Every sample has its own
    random draws.

    Args:
        images: (batch, h, w, 1 or 3) uint8.
        rng: source of all draws.
        image: settings `size`, `mean` and `std`.
        augmentation: settings of the image augmentations.
    """
    # paper: torchvision on PIL images; here: every step is a linear map, the maps are multiplied
    # first, and the pixels are clamped once at the end. This costs two matrix products per batch.
    # Blur and flip commute with the colour maps, so they can be part of the spatial product.
    # torchvision v2 is as fast, but draws one set of parameters for a whole batch.
    size, (batch, height, width, _) = image.size, images.shape
    crops = _crop_draws(rng, batch, size=(height, width), scale=augmentation.crop_scale)
    top, left, high, wide = (torch.from_numpy(draw).to(images.device) for draw in crops)
    blurred = rng.random(batch) < augmentation.blur_probability
    sharpest, softest = augmentation.blur_sigma
    # Sigma is drawn for every sample and set to 0 without blur: the number of draws must not
    # depend on their values.
    sigma = np.where(blurred, rng.uniform(sharpest, softest, batch), 0.0)
    blur = blur_matrix(torch.from_numpy(sigma).float().to(images.device), size=size)
    rows = blur @ crop_matrix(top, high, in_size=height, out_size=size)
    columns = blur @ crop_matrix(left, wide, in_size=width, out_size=size)
    flip = torch.from_numpy(rng.random(batch) < 0.5).to(images.device)
    columns = torch.where(flip[:, None, None], columns.flip(1), columns)
    pixels = apply_matrices(_unit_rgb(images), rows, columns)
    colour = _colour_matrices(rng, pixels.mean(dim=(2, 3)), augmentation=augmentation)
    mixed = torch.baddbmm(colour[:, :3, 3:], colour[:, :3, :3], pixels.flatten(2))
    return normalise(mixed.clamp_(0.0, 1.0).view_as(pixels), image=image)


def plain_view(images: Tensor, *, image: Image) -> Tensor:
    """Return the evaluation view: images resized to (batch, 3, size, size) and normalised."""
    size, (batch, height, width, _) = image.size, images.shape
    zero = torch.zeros(1, device=images.device)
    rows = crop_matrix(zero, zero + height, in_size=height, out_size=size)
    columns = crop_matrix(zero, zero + width, in_size=width, out_size=size)
    pixels = apply_matrices(
        _unit_rgb(images), rows.expand(batch, -1, -1), columns.expand(batch, -1, -1)
    )
    return normalise(pixels, image=image)


def normalise(pixels: Tensor, *, image: Image) -> Tensor:
    """Subtract each channel's mean and divide by its standard deviation."""
    mean = torch.tensor(image.mean, device=pixels.device).view(3, 1, 1)
    std = torch.tensor(image.std, device=pixels.device).view(3, 1, 1)
    return (pixels - mean) / std


def _unit_rgb(images: Tensor) -> Tensor:
    """Return images as float RGB in [0, 1]; greyscale becomes three equal channels."""
    return (images.float() / 255.0).expand(-1, -1, -1, 3).contiguous()


def _crop_draws(
    rng: np.random.Generator, batch: int, *, size: tuple[int, int], scale: tuple[float, float]
) -> tuple[np.ndarray, ...]:
    """Draw one crop per sample as torchvision's RandomResizedCrop does.

    Returns top, left, height and width in pixels, (batch,) float32 each.
    """
    height, width = size
    # torchvision tries up to ten times and uses the first crop that fits. Draw all ten tries at
    # once; a loop until success would take a different number of draws for each sample.
    area = height * width * rng.uniform(*scale, (10, batch))
    ratio = np.exp(rng.uniform(math.log(3 / 4), math.log(4 / 3), (10, batch)))
    wide, high = np.round(np.sqrt(area * ratio)), np.round(np.sqrt(area / ratio))
    fits = (wide > 0) & (wide <= width) & (high > 0) & (high <= height)
    first, column = fits.argmax(axis=0), np.arange(batch)
    # If no try fits: the largest square, like torchvision's central crop, but at a random place.
    side = min(width, height)
    wide = np.where(fits.any(axis=0), wide[first, column], side)
    high = np.where(fits.any(axis=0), high[first, column], side)
    top = np.floor(rng.random(batch) * (height - high + 1))
    left = np.floor(rng.random(batch) * (width - wide + 1))
    return tuple(draw.astype(np.float32) for draw in (top, left, high, wide))


def _colour_matrices(
    rng: np.random.Generator, means: Tensor, *, augmentation: ImageAugmentation
) -> Tensor:
    """Return affine maps of RGB, (batch, 4, 4): colour jitter, then greyscale.

    `means` holds the mean colour of each image, (batch, 3). The four steps of the jitter are
    applied in a random order per sample.
    """
    batch, device = means.shape[0], means.device
    brightness, contrast, saturation, hue = augmentation.jitter
    applied = rng.random(batch) < augmentation.jitter_probability
    draws = {
        "brightness": rng.uniform(max(0.0, 1 - brightness), 1 + brightness, batch),
        "contrast": rng.uniform(max(0.0, 1 - contrast), 1 + contrast, batch),
        "saturation": rng.uniform(max(0.0, 1 - saturation), 1 + saturation, batch),
        "hue": rng.uniform(-hue, hue, batch),
    }
    # Neutral factors make a step the identity, so that samples without jitter need no branch.
    neutral = {"brightness": 1.0, "contrast": 1.0, "saturation": 1.0, "hue": 0.0}
    factors = {
        name: torch.from_numpy(np.where(applied, draw, neutral[name])).float().to(device)
        for name, draw in draws.items()
    }
    order = torch.from_numpy(rng.permuted(np.tile(np.arange(4), (batch, 1)), axis=1)).to(device)
    grey = torch.from_numpy(rng.random(batch) < augmentation.grey_probability).to(device)
    colour = torch.eye(4, device=device).expand(batch, 4, 4)
    for step in range(4):
        # The contrast step needs the mean colour of the image at this point of the sequence. The
        # mean of an affine map is the map of the mean, so no image has to be computed for it.
        current = torch.cat([means, torch.ones_like(means[:, :1])], dim=1)
        current = torch.bmm(colour, current[:, :, None])[:, :3, 0]
        options = torch.stack(_jitter_steps(factors, current), dim=1)
        chosen = options[torch.arange(batch, device=device), order[:, step]]
        colour = torch.bmm(chosen, colour)
    to_grey = _saturate(torch.where(grey, 0.0, 1.0))
    return torch.bmm(to_grey, colour)


def _jitter_steps(factors: Mapping[str, Tensor], means: Tensor) -> list[Tensor]:
    """Return the four steps of the jitter as affine maps of RGB, (batch, 4, 4) each.

    The order is brightness, contrast, saturation, hue. Contrast mixes with the mean grey value.
    """
    batch, device = means.shape[0], means.device
    bright = torch.eye(4, device=device).repeat(batch, 1, 1)
    bright[:, :3, :3] *= factors["brightness"][:, None, None]
    contrast = torch.eye(4, device=device).repeat(batch, 1, 1)
    contrast[:, :3, :3] *= factors["contrast"][:, None, None]
    luma = torch.tensor(_LUMA, device=device)
    contrast[:, :3, 3] = ((1 - factors["contrast"]) * (means @ luma))[:, None]
    return [bright, contrast, _saturate(factors["saturation"]), _rotate_hue(factors["hue"])]


def _saturate(factor: Tensor) -> Tensor:
    """Return maps that mix each pixel with its grey value: 0 gives grey, 1 the identity."""
    matrix = torch.eye(4, device=factor.device).repeat(len(factor), 1, 1)
    luma = torch.tensor(_LUMA, device=factor.device).expand(3, 3)
    matrix[:, :3, :3] *= factor[:, None, None]
    matrix[:, :3, :3] += (1 - factor)[:, None, None] * luma
    return matrix


def _rotate_hue(turns: Tensor) -> Tensor:
    """Return maps that rotate the hue by a fraction of a full turn."""
    # torchvision changes the hue in HSV, which is not linear. A rotation of the colour plane of
    # YIQ is linear and similar, but not bit-identical.
    to_yiq = torch.tensor(_RGB_TO_YIQ, device=turns.device)
    angle = turns * (2 * math.pi)
    matrix = torch.eye(4, device=turns.device).repeat(len(turns), 1, 1)
    rotation = torch.eye(3, device=turns.device).repeat(len(turns), 1, 1)
    rotation[:, 1, 1] = rotation[:, 2, 2] = angle.cos()
    rotation[:, 1, 2], rotation[:, 2, 1] = -angle.sin(), angle.sin()
    matrix[:, :3, :3] = torch.linalg.inv(to_yiq) @ rotation @ to_yiq
    return matrix
