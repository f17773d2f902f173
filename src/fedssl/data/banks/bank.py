"""Open a bank: a dataset as arrays on disk, written by `fedssl.data.banks.writer`.

Training jobs import only this module, `placement` and what these need. Editing the writer or a
reader therefore does not rerun them, unless the bank itself changes.
"""

import io
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow.parquet as pq

from fedssl.data.banks.block_hashes import array_hashes
from fedssl.data.banks.placement import PlacedRows
from fedssl.data.banks.rows import Rows
from fedssl.data.banks.verified import verify_start
from fedssl.errors import UserError
from fedssl.publishing import add_verified
from fedssl.settings import Modality as Modality

if TYPE_CHECKING:
    import torch

SAMPLE_RATE = 16_000
# Increase this when the files change, so that a bank of an earlier version is rebuilt, not misread.
FORMAT = 1
# The first file of each modality holds the data; the writer relies on that.
FILES: Mapping[Modality, tuple[str, ...]] = {
    "image": ("images.npy", "labels.npy", "index.parquet"),
    "audio": ("waveforms.npy", "offsets.npy", "labels.npy", "index.parquet"),
}


@dataclass(frozen=True, eq=False)
class Bank:
    """A dataset of N samples whose data stay on disk.

    Attributes:
        dataset: name of the dataset.
        modality: "image" or "audio".
        classes: sorted class names; a label is an index into them.
        digest: SHA-256 of what bank.json says about the contents, which includes the SHA-256 of
            every file; without the hashes of blocks, the levels of sound, the reasons of bad
            members and the notes.
        labels: (N,) int64.
        splits: (N,) str, the split of each sample.
        absent: number of members that the owner no longer provides.
        contents: (N,) int64, a hash of each sample's data; None in a bank of an earlier version.
        rows: the rows of `images` or `waveforms`; the way to read a batch.
        images: memory map, (N, H, W, C) uint8 with C 1 or 3; None for audio. Jobs use its shape
            only: what is read through a memory map is not verified.
        waveforms: memory map of all clips end to end, 16 kHz mono, int16 (or float32 in [-1, 1] if
            the dataset says so); None for images. As for `images`.
        offsets: (N + 1,) int64; clip i is `waveforms[offsets[i]:offsets[i + 1]]`. None for images.
    """

    dataset: str
    modality: Modality
    classes: tuple[str, ...]
    digest: str
    labels: np.ndarray
    splits: np.ndarray
    absent: int
    contents: np.ndarray | None
    rows: Rows
    images: np.ndarray | None
    waveforms: np.ndarray | None
    offsets: np.ndarray | None

    def __len__(self) -> int:
        """Return the number of samples."""
        return len(self.labels)

    def indices(self, split: str) -> np.ndarray:
        """Return the sorted positions of the samples in `split`, int64.

        Raises:
            UserError: the bank has no sample in this split.
        """
        found = np.flatnonzero(self.splits == split).astype(np.int64)
        if not len(found):
            known = ", ".join(sorted(set(self.splits.tolist())))
            raise UserError(f"{self.dataset} has no split {split!r}; its splits are {known}")
        return found

    def duplicates(self, positions: np.ndarray, *, of: np.ndarray) -> np.ndarray | None:
        """Return which samples at `positions` have the same data as one at `of`, bool.

        None for a bank of an earlier version, which has no hashes.
        """
        if self.contents is None:
            return None
        return np.isin(self.contents[positions], self.contents[of])


def open_bank(folder: str | Path, *, device: "torch.device | None" = None) -> Bank:
    """Open the bank in `folder`; its data are read when they are used.

    A job that reads many samples gives the `device` that it computes on. Its rows are then read
    from where the settings `banks.read_from` and `banks.staging` say, see `placement`.

    Raises:
        UserError: a file is missing, or is not the one that bank.json records. Of the samples, only
            the first block is verified here. The others are verified when they are read.
    """
    folder = Path(folder)
    facts = read_facts(folder)
    audio = facts["modality"] == "audio"
    data, *tables = FILES[facts["modality"]]
    hashes = array_hashes(facts, data)
    verify_start(folder / data, hashes)
    if device is not None:
        # Where clients train in parallel, this process records what its workers read.
        add_verified(str(folder / data), hashes.sha256)
    read = {name: _verified_table(folder / name, facts) for name in tables}
    index = pq.ParquetFile(read["index.parquet"])
    columns = [name for name in ("split", "content") if name in index.schema_arrow.names]
    table = index.read(columns)
    return Bank(
        dataset=facts["dataset"],
        modality=facts["modality"],
        classes=tuple(facts["classes"]),
        digest=facts["digest"],
        labels=np.load(read["labels.npy"]),
        splits=np.array(table["split"].to_pylist(), dtype=np.str_),
        absent=sum(facts.get("absent", {}).get("counts", {}).values()),
        contents=table["content"].to_numpy() if "content" in columns else None,
        rows=PlacedRows(folder / data, hashes, device=device),
        images=None if audio else np.load(folder / "images.npy", mmap_mode="r"),
        waveforms=np.load(folder / "waveforms.npy", mmap_mode="r") if audio else None,
        offsets=np.load(read["offsets.npy"]) if audio else None,
    )


def read_facts(folder: str | Path) -> dict[str, Any]:
    """Return the contents of bank.json.

    Raises:
        UserError: the file is missing, is not JSON, or has another format version.
    """
    path = Path(folder) / "bank.json"
    try:
        facts: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise UserError(f"{path} is missing, so there is no bank; run the bank rule") from error
    except ValueError as error:
        raise UserError(f"{path} is not JSON; delete it and rerun the bank rule") from error
    if facts.get("format") != FORMAT:
        raise UserError(
            f"{path} has format {facts.get('format')!r}, but this version reads {FORMAT}; "
            "delete it and rerun the bank rule"
        )
    return facts


def _verified_table(path: Path, facts: Mapping[str, Any]) -> io.BytesIO:
    """Return a file that is read whole, for readers of files."""
    hashes = array_hashes(facts, path.name)
    add_verified(str(path), hashes.sha256)
    return io.BytesIO(hashes.read(path))
