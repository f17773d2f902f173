"""Light views, for fine-tuning: a random crop and a flip of an image, a random crop of a clip."""

import numpy as np
import torch
from torch import Tensor

from fedssl.views import audio as audio_views
from fedssl.views.image import normalise
from fedssl.views.resample import apply_matrices, crop_matrix
from fedssl.views.samples import Views
from fedssl.views.settings import Image, LightAugmentation


class LightViews(Views):
    """Views of a bank's samples, with the one that supervised training sees."""

    def light(
        self, indices: np.ndarray, rng: np.random.Generator, *, augmentation: LightAugmentation
    ) -> Tensor:
        """Return one light view of each sample, (batch, 3, size, size).

        A clip's is the evaluation view of a random crop, so `augmentation` is for images alone.
        """
        if self.bank.modality == "image":
            images = self._images(indices)
            return light_view(images, rng, image=self._settings.image, augmentation=augmentation)
        assert self._statistics is not None
        frames = self._frames(indices, rng)
        audio = self._settings.audio
        return audio_views.plain_view(frames, audio=audio, statistics=self._statistics)


def light_view(
    images: Tensor,
    rng: np.random.Generator,
    *,
    image: Image,
    augmentation: LightAugmentation,
) -> Tensor:
    """Return crops of uint8 images (batch, h, w, 1 or 3) as (batch, 3, size, size), normalised.

    A crop keeps the share `crop` of each side, at a random place, each sample with its own draw.
    With `crop` 1 and `flip_probability` 0 it is the evaluation view.
    """
    size, (batch, height, width, _) = image.size, images.shape
    rows = _crop_matrices(rng, batch, in_size=height, out_size=size, crop=augmentation.crop)
    columns = _crop_matrices(rng, batch, in_size=width, out_size=size, crop=augmentation.crop)
    flip = torch.from_numpy(rng.random(batch) < augmentation.flip_probability)
    columns = torch.where(flip[:, None, None], columns.flip(1), columns)
    rows, columns = rows.to(images.device), columns.to(images.device)
    pixels = apply_matrices(images.float() / 255.0, rows, columns)
    return normalise(pixels.expand(-1, 3, -1, -1), image=image)


def _crop_matrices(
    rng: np.random.Generator, batch: int, *, in_size: int, out_size: int, crop: float
) -> Tensor:
    kept = max(round(crop * in_size), 1)
    start = rng.integers(in_size - kept + 1, size=batch).astype(np.float32)
    extent = torch.full((batch,), float(kept))
    return crop_matrix(torch.from_numpy(start), extent, in_size=in_size, out_size=out_size)
