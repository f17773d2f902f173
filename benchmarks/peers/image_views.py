"""Image views next to kornia and torchvision: `python -m benchmarks.peers.image_views`."""

from dataclasses import replace
from pathlib import Path

import kornia.augmentation as kornia
import numpy as np
import torch
import yaml
from benchmarks.timing import Work, print_turns
from PIL import Image
from torchvision.transforms import v2

from fedssl.randomness import stream
from fedssl.schema.config import CellSettings
from fedssl.typed import typed
from fedssl.views import image as image_views

ROOT = Path(__file__).parents[2]
BATCH = 128
SIZES = ((32, 32), (64, 64), (64, 128), (128, 128))


def work(in_size: int, size: int) -> Work:
    """Return ways to make one view of a batch of images, with draws of its own for each image."""
    content = yaml.safe_load((ROOT / "config/experiments.yaml").read_text())
    settings = typed(CellSettings, content["settings"])
    image, augmentation = replace(settings.image, size=size), settings.augmentation.image
    rng = stream(0, "benchmark")
    pixels = rng.integers(0, 256, (BATCH, in_size, in_size, 3), dtype=np.uint8)
    batch = torch.from_numpy(pixels)
    frames = [Image.fromarray(each) for each in pixels]
    # As in SimCLR, the kernel of the blur is a tenth of the image.
    kernel = size // 10 // 2 * 2 + 1
    scale, jitter = augmentation.crop_scale, augmentation.jitter
    torchvision = v2.Compose(
        [
            v2.RandomResizedCrop(size, scale, antialias=True),
            v2.RandomApply([v2.ColorJitter(*jitter)], augmentation.jitter_probability),
            v2.RandomGrayscale(augmentation.grey_probability),
            v2.RandomApply(
                [v2.GaussianBlur(kernel, augmentation.blur_sigma)], augmentation.blur_probability
            ),
            v2.RandomHorizontalFlip(),
            v2.ToImage(),
            v2.ToDtype(torch.float32, scale=True),
            v2.Normalize(image.mean, image.std),
        ]
    )
    batched = torch.nn.Sequential(
        kornia.RandomResizedCrop((size, size), scale),
        kornia.ColorJitter(*jitter, p=augmentation.jitter_probability),
        kornia.RandomGrayscale(p=augmentation.grey_probability),
        kornia.RandomGaussianBlur(
            (kernel, kernel), augmentation.blur_sigma, p=augmentation.blur_probability
        ),
        kornia.RandomHorizontalFlip(),
        kornia.Normalize(torch.tensor(image.mean), torch.tensor(image.std)),
    )
    return {
        "ours": lambda: image_views.augmented_view(
            batch, rng, image=image, augmentation=augmentation
        ),
        "kornia": lambda: batched(batch.permute(0, 3, 1, 2).float() / 255.0),
        "torchvision": lambda: torch.stack([torchvision(frame) for frame in frames]),
    }


if __name__ == "__main__":
    print_turns({f"image views, {a} to {b} px": work(a, b) for a, b in SIZES}, runs=7)
