"""Image views: the expert augmentations of SimCLR (fssuavl section 3.4 and its reference [33])."""

import math

import numpy as np
import torch
from torch import Tensor

from fedssl.views.colour import colour_maps
from fedssl.views.constants import constant
from fedssl.views.resample import apply_matrices, blur_matrix, crop_matrix
from fedssl.views.settings import Image, ImageAugmentation


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
    batch, height, width, _ = images.shape
    numbers = draw(rng, batch, size=(height, width), augmentation=augmentation)
    return render(images, torch.from_numpy(numbers), image=image)


def draw(
    rng: np.random.Generator,
    batch: int,
    *,
    size: tuple[int, int],
    augmentation: ImageAugmentation,
) -> np.ndarray:
    """Draw all numbers of one view of each image of this height and width; see `render`.

    Returns (15, batch) float32: the crop's top, left, height and width; sigma of the blur; flip;
    factors of brightness, contrast, saturation and hue; the order of these four; colour kept.
    """
    # One array, so that a GPU gets them in one copy.
    crops = _crop_draws(rng, batch, size=size, scale=augmentation.crop_scale)
    blurred = rng.random(batch) < augmentation.blur_probability
    sharpest, softest = augmentation.blur_sigma
    # Sigma is drawn for every sample and set to 0 without blur: the number of draws must not
    # depend on their values.
    sigma = np.where(blurred, rng.uniform(sharpest, softest, batch), 0.0)
    flip = rng.random(batch) < 0.5
    factors = _jitter_draws(rng, batch, augmentation=augmentation)
    order = rng.permuted(np.tile(np.arange(4), (batch, 1)), axis=1)
    coloured = rng.random(batch) >= augmentation.grey_probability
    return np.stack([*crops, sigma, flip, *factors, *order.T, coloured]).astype(np.float32)


def render(images: Tensor, numbers: Tensor, *, image: Image) -> Tensor:
    """Return the view of each image that belongs to the numbers of `draw`."""
    # paper: torchvision on PIL images; here: every step is a linear map, the maps are multiplied
    # first, and the pixels are clamped once at the end. This costs two matrix products per batch.
    # Blur and flip commute with the colour maps, so they can be part of the spatial product.
    # torchvision v2 is as fast, but draws one set of parameters for a whole batch.
    size, (_, height, width, _) = image.size, images.shape
    numbers = numbers.to(images.device, non_blocking=True)
    top, left, high, wide, sigma, flip = numbers[:6]
    blur = blur_matrix(sigma, size=size)
    rows = blur @ crop_matrix(top, high, in_size=height, out_size=size)
    columns = blur @ crop_matrix(left, wide, in_size=width, out_size=size)
    columns = torch.where((flip > 0)[:, None, None], columns.flip(1), columns)
    pixels = apply_matrices(_unit_rgb(images), rows, columns)
    colour = colour_maps(numbers[6:], pixels.mean(dim=(2, 3)))
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
    mean, std = (constant(value, pixels.device).view(3, 1, 1) for value in (image.mean, image.std))
    return (pixels - mean) / std


def _unit_rgb(images: Tensor) -> Tensor:
    """Return images as float RGB in [0, 1]; greyscale becomes three equal channels."""
    return (images.float() / 255.0).expand(-1, -1, -1, 3).contiguous()


def _crop_draws(
    rng: np.random.Generator, batch: int, *, size: tuple[int, int], scale: tuple[float, float]
) -> tuple[np.ndarray, ...]:
    """Draw one crop per sample as torchvision's RandomResizedCrop does.

    Returns top, left, height and width in pixels, (batch,) each.
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
    return top, left, high, wide


def _jitter_draws(
    rng: np.random.Generator, batch: int, *, augmentation: ImageAugmentation
) -> list[np.ndarray]:
    """Draw factors of brightness, contrast, saturation and hue, (batch,) each."""
    brightness, contrast, saturation, hue = augmentation.jitter
    applied = rng.random(batch) < augmentation.jitter_probability
    draws = [rng.uniform(max(0.0, 1 - f), 1 + f, batch) for f in (brightness, contrast, saturation)]
    draws.append(rng.uniform(-hue, hue, batch))
    # Neutral factors make a step the identity, so that samples without jitter need no branch.
    neutral = (1.0, 1.0, 1.0, 0.0)
    return [np.where(applied, draw, value) for draw, value in zip(draws, neutral, strict=True)]
