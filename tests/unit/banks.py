"""Toy banks for tests."""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import numpy as np

from fedssl.data.banks.partial_bank import PartialBank, open_partial_bank
from fedssl.data.banks.writer import write_bank
from fedssl.data.samples import BadMember, Sample

Samples = Sequence[Sample | BadMember]
BAD = BadMember("broken.png", "cat", "train", "it is cut short")


def images(count: int = 6, *, size: int = 4) -> list[Sample | BadMember]:
    rng = np.random.default_rng(0)
    return [
        Sample(
            f"member{i}.png",
            ("dog", "cat", "ant")[i % 3],
            "train" if i < 2 * count // 3 else "test",
            rng.integers(0, 256, size=(size, size, 3), dtype=np.uint8),
        )
        for i in range(count)
    ]


def clips(lengths: Sequence[int] = (5, 1, 9, 3)) -> list[Sample | BadMember]:
    rng = np.random.default_rng(0)
    return [
        Sample(f"{i}.wav", "ab"[i % 2], "train", rng.integers(-99, 99, length).astype(np.int16))
        for i, length in enumerate(lengths)
    ]


def write(samples: Samples, folder: Path, **changes: Any) -> dict[str, Any]:
    good = [sample for sample in samples if isinstance(sample, Sample)]
    audio = good[0].data.dtype == np.int16
    splits = [sample.split for sample in samples if sample.split]
    declared = {
        "dataset": "toy",
        "modality": "audio" if audio else "image",
        "num_classes": len({sample.label for sample in good}),
        "counts": {split: splits.count(split) for split in set(splits)},
        "max_bad_share": 0.0,
    }
    with toy_partial_bank(folder) as partial:
        return write_bank(iter(samples), folder, **{**declared, "partial": partial, **changes})


def toy_partial_bank(folder: Path) -> AbstractContextManager[PartialBank]:
    """Open the partial bank of the toy bank in `folder`, next to it; resume an existing one."""
    return open_partial_bank(folder.with_name(f"{folder.name}.state") / "v1", key="toy", start=128)


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}
