"""Banks: a dataset as memory-mapped arrays. `fedssl.data.banks.writer` writes what this reads.

Jobs that train import this module only, so that an edit of the writer or of a reader does not
touch them unless the bank itself changes.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow.parquet as pq

from fedssl.errors import UserError

Modality = Literal["image", "audio"]

SAMPLE_RATE = 16_000
FORMAT = 1
FILES: Mapping[Modality, tuple[str, ...]] = {
    "image": ("images.npy", "labels.npy", "index.parquet"),
    "audio": ("waveforms.npy", "offsets.npy", "labels.npy", "index.parquet"),
}


@dataclass(frozen=True, eq=False)
class Bank:
    """A dataset of N samples, read without loading it.

    Attributes:
        dataset: its name.
        modality: image or audio.
        classes: sorted class names; a label is a rank in it.
        digest: SHA-256 over everything bank.json says, the SHA-256 of each array included.
        labels: (N,) int64.
        splits: (N,) str, the split each sample belongs to.
        images: (N, H, W, C) uint8 memory map, C 1 or 3; None for audio.
        waveforms: int16 memory map of all clips end to end, 16 kHz mono; None for images.
        offsets: (N + 1,) int64; clip i is `waveforms[offsets[i]:offsets[i + 1]]`.
    """

    dataset: str
    modality: Modality
    classes: tuple[str, ...]
    digest: str
    labels: np.ndarray
    splits: np.ndarray
    images: np.ndarray | None
    waveforms: np.ndarray | None
    offsets: np.ndarray | None

    def __len__(self) -> int:
        """Return the number of samples."""
        return len(self.labels)

    def indices(self, split: str) -> np.ndarray:
        """Return the sorted int64 positions of the samples in `split`; UserError if none."""
        found = np.flatnonzero(self.splits == split).astype(np.int64)
        if not len(found):
            known = ", ".join(sorted(set(self.splits.tolist())))
            raise UserError(f"{self.dataset} has no split {split!r}; its splits are {known}")
        return found


def open_bank(folder: str | Path) -> Bank:
    """Memory-map the bank in `folder`; raise UserError where a file is missing or truncated."""
    folder = Path(folder)
    facts = read_facts(folder)
    for name, file in facts["files"].items():
        _check_size(folder / name, file["size"])
    audio = facts["modality"] == "audio"
    splits = pq.read_table(folder / "index.parquet", columns=["split"])["split"].to_pylist()
    return Bank(
        dataset=facts["dataset"],
        modality=facts["modality"],
        classes=tuple(facts["classes"]),
        digest=facts["digest"],
        labels=np.load(folder / "labels.npy"),
        splits=np.array(splits, dtype=np.str_),
        images=None if audio else np.load(folder / "images.npy", mmap_mode="r"),
        waveforms=np.load(folder / "waveforms.npy", mmap_mode="r") if audio else None,
        offsets=np.load(folder / "offsets.npy") if audio else None,
    )


def read_facts(folder: str | Path) -> dict[str, Any]:
    """Return what bank.json says; raise UserError where there is no bank of this format."""
    path = Path(folder) / "bank.json"
    try:
        facts: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise UserError(f"{path} is missing: there is no bank; run the bank rule") from error
    except ValueError as error:
        raise UserError(f"{path} is not JSON; delete it and rerun the bank rule") from error
    if facts.get("format") != FORMAT:
        raise UserError(
            f"{path} has format {facts.get('format')!r} and this version reads {FORMAT}; "
            "delete it and rerun the bank rule"
        )
    return facts


def _check_size(path: Path, expected: int) -> None:
    found = path.stat().st_size if path.exists() else None
    if found != expected:
        state = "is missing" if found is None else f"has {found} bytes instead of {expected}"
        raise UserError(f"{path} {state}; delete bank.json beside it and rerun the bank rule")
