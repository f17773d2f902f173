"""Banks of noise, with clips as long and images as large as those that the papers train on."""

from pathlib import Path

import numpy as np

from fedssl.data.banks.bank import Bank, Modality
from fedssl.data.banks.rows import Rows
from fedssl.randomness import stream

CLIP = 160_000  # 10 s


def write_waveforms(path: Path, *, clips: int) -> None:
    """Write a file of clips of noise and flush it, so that its pages can be dropped."""
    rng = stream(0, "benchmark")
    file = np.lib.format.open_memmap(path, "w+", dtype=np.int16, shape=(clips * CLIP,))
    for start in range(0, len(file), 100 * CLIP):
        part = file[start : start + 100 * CLIP]
        part[:] = rng.integers(-9999, 9999, len(part), dtype=np.int16)
    file.flush()


def write_images(path: Path, *, images: int) -> None:
    """Write a file of pictures of noise of the size of Tiny ImageNet's."""
    rng = stream(0, "benchmark")
    file = np.lib.format.open_memmap(path, "w+", dtype=np.uint8, shape=(images, 64, 64, 3))
    for start in range(0, images, 1000):
        part = file[start : start + 1000]
        part[:] = rng.integers(0, 256, part.shape, np.uint8)
    file.flush()


def bank(path: Path, modality: Modality, rows: Rows, *, clips: int) -> Bank:
    """Return a bank of one class around a data file."""
    audio = modality == "audio"
    data = np.load(path, mmap_mode="r")
    count = clips if audio else len(data)
    return Bank(
        dataset="benchmark",
        modality=modality,
        classes=("any",),
        digest="",
        labels=np.zeros(count, np.int64),
        splits=np.full(count, "train"),
        absent=0,
        contents=None,
        rows=rows,
        images=None if audio else data,
        waveforms=data if audio else None,
        offsets=np.arange(count + 1) * CLIP if audio else None,
    )
