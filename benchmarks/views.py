"""How fast views are made, beside what else could make them: `python benchmarks/views.py`.

Views a second on one thread, medians of interleaved runs, and the ratio of ours to each peer.
torchvision on PIL draws per sample, as ours does; torchvision on a batch gives every sample the
same draw, which is wrong for contrastive learning and stands here as a limit.
"""

import os
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "src"))

import numpy as np
import torch
import yaml
from PIL import Image
from timing import interleaved, report
from torchaudio.transforms import MelSpectrogram
from torchvision.transforms import v2

from fedssl.randomness import stream
from fedssl.schema.config import CellSettings
from fedssl.typed import typed
from fedssl.views import audio as audio_views
from fedssl.views import image as image_views

ROOT = Path(__file__).parents[1]
BATCH = 128


def image_makers(in_size: int, size: int) -> dict[str, Callable[[], object]]:
    """Return ways to make one view of a batch of pictures."""
    augmentation = shipped().augmentation.image
    image = replace(shipped().image, size=size)
    rng = stream(0, "benchmark")
    pictures = rng.integers(0, 256, (BATCH, in_size, in_size, 3), dtype=np.uint8)
    batch = torch.from_numpy(pictures)
    frames = [Image.fromarray(picture) for picture in pictures]
    peer = v2.Compose(
        [
            v2.RandomResizedCrop(size, (0.2, 1.0), antialias=True),
            v2.RandomApply([v2.ColorJitter(0.4, 0.4, 0.4, 0.1)], 0.8),
            v2.RandomGrayscale(0.2),
            v2.RandomApply([v2.GaussianBlur(13, (0.1, 2.0))], 0.5),
            v2.RandomHorizontalFlip(),
            v2.ToImage(),
            v2.ToDtype(torch.float32, scale=True),
            v2.Normalize(image.mean, image.std),
        ]
    )
    planar = batch.permute(0, 3, 1, 2).contiguous()
    return {
        "ours": lambda: image_views.augmented_view(
            batch, rng, image=image, augmentation=augmentation
        ),
        "torchvision on PIL": lambda: [peer(frame) for frame in frames],
        "torchvision, one draw a batch": lambda: peer(planar),
    }


def audio_makers() -> dict[str, Callable[[], object]]:
    """Return ways to make log-mel images of a batch of 2 s frames."""
    audio = shipped().audio
    rng = stream(0, "benchmark")
    frames = torch.from_numpy(rng.integers(-9999, 9999, (BATCH, 32000)).astype(np.int16))
    mel = MelSpectrogram(
        16000,
        audio.n_fft,
        audio.window,
        audio.hop,
        n_mels=audio.mels,
        power=1.0,
    )
    return {
        "ours": lambda: audio_views.log_mel(frames, audio=audio),
        "torchaudio, whole batch": lambda: mel(frames / 32768.0).add(1e-6).log(),
        "torchaudio, one by one": lambda: [mel(f / 32768.0).add(1e-6).log() for f in frames],
    }


def shipped() -> CellSettings:
    """Return the shipped settings of every cell."""
    content = yaml.safe_load((ROOT / "config/experiments.yaml").read_text())
    return typed(CellSettings, content["settings"])


def main() -> None:
    """Print a table for each kind of view."""
    torch.set_num_threads(1)
    print(f"one thread, load {os.getloadavg()[0]:.1f}")
    for in_size, size in ((64, 64), (64, 128)):
        seconds = interleaved(image_makers(in_size, size))
        report(f"image views, {in_size} to {size} px", seconds, items=BATCH, unit="views/s")
    report("log-mel of 2 s", interleaved(audio_makers()), items=BATCH, unit="clips/s")


if __name__ == "__main__":
    main()
