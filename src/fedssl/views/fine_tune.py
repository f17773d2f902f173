"""Views for fine-tuning: a random crop and flip of an image, or a random crop of a clip.

paper: no augmentation stated for fine-tuning; here: a light one, as is usual with labels.
"""

import numpy as np
import torch
from torch import Tensor

from fedssl.views import audio as audio_views
from fedssl.views.bank_views import Views
from fedssl.views.image import normalise
from fedssl.views.resample import apply_matrices, crop_matrix
from fedssl.views.settings import FineTuneAugmentation, Image


class FineTuneViews(Views):
    """Views of a bank's samples, including the view for fine-tuning."""

    def fine_tune(
        self, indices: np.ndarray, rng: np.random.Generator, *, augmentation: FineTuneAugmentation
    ) -> Tensor:
        """Return one lightly augmented view of each sample, (batch, 3, size, size).

        For audio this is the evaluation view of a random crop; `augmentation` is used for images
        only.
        """
        if self.bank.modality == "image":
            images = self._images(indices)
            return fine_tune_view(
                images, rng, image=self._settings.image, augmentation=augmentation
            )
        assert self._statistics is not None
        frames = self._frames(indices, rng)
        audio = self._settings.audio
        return audio_views.plain_view(frames, audio=audio, statistics=self._statistics)


def fine_tune_view(
    images: Tensor,
    rng: np.random.Generator,
    *,
    image: Image,
    augmentation: FineTuneAugmentation,
) -> Tensor:
    """Return a random crop of each image, perhaps flipped, (batch, 3, size, size), normalised.

    With `crop` 1 and `flip_probability` 0 the result is the evaluation view.

    Args:
        images: (batch, h, w, 1 or 3) uint8.
        rng: draws place and flip of each sample.
        image: settings `size`, `mean` and `std`.
        augmentation: fraction of each side that is kept, and probability of a horizontal flip.
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
