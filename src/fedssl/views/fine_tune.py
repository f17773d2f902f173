"""Views for fine-tuning: a random crop and flip of an image, or a random crop of a clip.

paper: no augmentation stated for fine-tuning; here: a light one, as is usual with labels.
"""

from functools import partial

import numpy as np
import torch
from torch import Tensor

from fedssl.views.bank_views import Drawn, Views
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
        return self.render_fine_tune(self.draw_fine_tune(indices, rng, augmentation=augmentation))

    def draw_fine_tune(
        self, indices: np.ndarray, rng: np.random.Generator, *, augmentation: FineTuneAugmentation
    ) -> Drawn:
        """Read the samples of `fine_tune` and draw its numbers, both in host memory."""
        if self.bank.modality == "audio":
            return Drawn(self._read(partial(self._frames(indices, rng).read, self.bank.rows)), None)
        assert self.bank.images is not None
        samples, size = self._read(partial(self.bank.rows.take, indices)), self.bank.images.shape
        numbers = draw(rng, len(indices), size=size[1:3], augmentation=augmentation)
        return Drawn(samples, self.staged(numbers))

    def render_fine_tune(self, drawn: Drawn) -> Tensor:
        """Return the view of each sample that `draw_fine_tune` has drawn."""
        if self.bank.modality == "audio":
            return self.render_plain(drawn.samples)
        assert drawn.numbers is not None
        return render(self.on_device(drawn.samples), drawn.numbers, image=self._settings.image)


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
    batch, height, width, _ = images.shape
    numbers = draw(rng, batch, size=(height, width), augmentation=augmentation)
    return render(images, torch.from_numpy(numbers), image=image)


def draw(
    rng: np.random.Generator,
    batch: int,
    *,
    size: tuple[int, int],
    augmentation: FineTuneAugmentation,
) -> np.ndarray:
    """Draw the numbers of a view of each image of this height and width, (5, batch) float32.

    They are top and height, left and width of the crop, and flip.
    """
    rows, columns = (_crop(rng, batch, size=side, crop=augmentation.crop) for side in size)
    flip = rng.random(batch) < augmentation.flip_probability
    return np.stack([*rows, *columns, flip]).astype(np.float32)


def render(images: Tensor, numbers: Tensor, *, image: Image) -> Tensor:
    """Return the view of each image that belongs to the numbers of `draw`."""
    size, (_, height, width, _) = image.size, images.shape
    top, high, left, wide, flip = numbers.to(images.device, non_blocking=True)
    rows = crop_matrix(top, high, in_size=height, out_size=size)
    columns = crop_matrix(left, wide, in_size=width, out_size=size)
    columns = torch.where((flip > 0)[:, None, None], columns.flip(1), columns)
    pixels = apply_matrices(images.float() / 255.0, rows, columns)
    return normalise(pixels.expand(-1, 3, -1, -1), image=image)


def _crop(
    rng: np.random.Generator, batch: int, *, size: int, crop: float
) -> tuple[np.ndarray, np.ndarray]:
    """Draw a crop of one axis per sample: its start and extent in pixels, (batch,) each."""
    kept = max(round(crop * size), 1)
    return rng.integers(size - kept + 1, size=batch), np.full(batch, kept)
