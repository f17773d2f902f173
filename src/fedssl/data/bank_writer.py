"""Stream what a reader yields into a bank, in bounded memory."""

import contextlib
import io
import logging
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from fedssl.data.bank import FILES, FORMAT, SAMPLE_RATE, Modality
from fedssl.data.samples import AbsentMember, BadMember, Member, Sample
from fedssl.errors import UserError
from fedssl.files import atomic_write, digest, sha256, write_json

_LOG = logging.getLogger(__name__)

DTYPES: Mapping[Modality, np.dtype] = {"image": np.dtype(np.uint8), "audio": np.dtype(np.int16)}
_BAD_SHOWN = 5
_HEADER_BYTES = 128


def write_bank(
    samples: Iterable[Member],
    folder: str | Path,
    *,
    dataset: str,
    modality: Modality,
    num_classes: int | None,
    counts: Mapping[str, int | None],
    max_bad_share: float,
    unverified: Collection[str] = (),
) -> dict[str, Any]:
    """Write a bank to `folder` and return what its bank.json says.

    Memory holds one sample and the index. bank.json comes last, so a folder that has one is a whole
    bank. The same samples give the same bytes.

    Args:
        samples: what a reader yields; a class id is the rank of the class name.
        folder: made if missing.
        dataset: name of the dataset.
        modality: image or audio.
        num_classes: declared classes; None where they are counted only.
        counts: declared members per split, unreadable and absent ones included; None where it
            is not known: then what is there counts.
        max_bad_share: largest share of unreadable members among those that are there, 0 to 1.
        unverified: `classes` and the splits whose declared number nobody has counted yet.

    Raises:
        UserError: too many unreadable members, counts other than the declared ones, or a
            declared split without a single sample.
    """
    folder, ledger = Path(folder), _Ledger(dataset, frozenset(unverified))
    with contextlib.ExitStack() as stack:
        parts = {name: stack.enter_context(atomic_write(folder / name)) for name in FILES[modality]}
        _stream(samples, parts[FILES[modality][0]], ledger, dtype=DTYPES[modality])
        ledger.check_bad(max_bad_share)
        ledger.check_counts(counts, num_classes=num_classes)
        if ledger.absent:
            _LOG.warning("%s lacks %d members, listed in bank.json", dataset, len(ledger.absent))
        _write_index(ledger, parts, modality=modality)
        files = {n: {"sha256": sha256(p), "size": p.stat().st_size} for n, p in parts.items()}
        facts = {"format": FORMAT, "modality": modality, **ledger.facts(modality), "files": files}
        facts["digest"] = digest(facts)
        _retire(folder / "bank.json", facts["digest"])
    write_json(folder / "bank.json", facts)
    return facts


def _retire(path: Path, new_digest: str) -> None:
    """Remove the bank.json of other arrays; equal ones may be in use by another workflow."""
    if path.exists() and new_digest not in path.read_text(encoding="utf-8"):
        path.unlink()


@dataclass
class _Ledger:
    """What is remembered of the samples once their data is on disk."""

    dataset: str
    unverified: Collection[str]
    names: list[str] = field(default_factory=list)
    labels: list[str] = field(default_factory=list)
    splits: list[str] = field(default_factory=list)
    lengths: list[int] = field(default_factory=list)
    bad: list[BadMember] = field(default_factory=list)
    absent: list[AbsentMember] = field(default_factory=list)
    image_shape: tuple[int, ...] = ()

    @property
    def classes(self) -> list[str]:
        return sorted(set(self.labels))

    def add(self, sample: Sample) -> None:
        self.names.append(sample.name)
        self.labels.append(sample.label)
        self.splits.append(sample.split)
        self.lengths.append(len(sample.data) if sample.data.ndim == 1 else 1)

    def facts(self, modality: Modality) -> dict[str, Any]:
        layout = (
            {"image_shape_hwc": list(self.image_shape)}
            if modality == "image"
            else {"sample_rate_hz": SAMPLE_RATE, "duration_s": sum(self.lengths) / SAMPLE_RATE}
        )
        return {
            "dataset": self.dataset,
            "classes": self.classes,
            "counts": dict(sorted(Counter(self.splits).items())),
            "bad": [{"name": bad.name, "reason": bad.reason} for bad in self.bad],
            **self._absent_facts(),
            **layout,
        }

    def _absent_facts(self) -> dict[str, Any]:
        """Return how many members of each split are absent, and which; nothing where none is."""
        if not self.absent:
            return {}
        counts = Counter(member.split for member in self.absent)
        names = sorted(member.name for member in self.absent)
        return {"absent": {"counts": dict(sorted(counts.items())), "names": names}}

    def check_bad(self, max_bad_share: float) -> None:
        total = len(self.names) + len(self.bad)
        if len(self.bad) > max_bad_share * total:
            shown = "; ".join(f"{bad.name}: {bad.reason}" for bad in self.bad[:_BAD_SHOWN])
            raise UserError(
                f"{len(self.bad)} of {total} members of {self.dataset} cannot be read, more than "
                f"the share of {max_bad_share} that max_bad_share allows: {shown}"
            )

    def check_counts(self, counts: Mapping[str, int | None], *, num_classes: int | None) -> None:
        found = Counter(self.splits)
        found.update(bad.split for bad in self.bad if bad.split)
        found.update(member.split for member in self.absent)
        declared = {split: found[split] if n is None else n for split, n in counts.items()}
        if found != Counter(declared):
            raise UserError(
                f"the archives of {self.dataset} hold {_listed(found)} members and its entry in "
                f"the datasets file declares {_listed(declared)}{self._doubt(*declared)}"
            )
        if empty := sorted(set(counts) - set(self.splits)):
            raise UserError(f"{self.dataset} has no readable member in {' and '.join(empty)}")
        if num_classes not in (None, len(self.classes)):
            raise UserError(
                f"the archives of {self.dataset} hold {len(self.classes)} classes and its entry "
                f"in the datasets file declares {num_classes}{self._doubt('classes')}"
            )

    def _doubt(self, *counts: str) -> str:
        """Return what a user should know of declared numbers that nobody has counted."""
        doubted = ", ".join(name for name in counts if name in self.unverified)
        if not doubted:
            return ""
        return f" (unverified: {doubted}); if the archives are whole, correct the entry"


def _listed(counts: Mapping[Any, int]) -> str:
    return ", ".join(f"{split} {count}" for split, count in sorted(counts.items())) or "no"


def _stream(samples: Iterable[Member], path: Path, ledger: _Ledger, *, dtype: np.dtype) -> None:
    """Append every sample's data to one .npy file, whose header is completed at the end."""
    with path.open("wb") as file:
        file.write(_header(dtype, (0,)))
        for sample in samples:
            if isinstance(sample, BadMember):
                ledger.bad.append(sample)
            elif isinstance(sample, AbsentMember):
                ledger.absent.append(sample)
            elif reason := _misfit(sample.data, ledger, dtype):
                ledger.bad.append(BadMember(sample.name, sample.label, sample.split, reason))
            else:
                ledger.add(sample)
                file.write(sample.data.tobytes())
        file.seek(0)
        file.write(_header(dtype, (sum(ledger.lengths), *ledger.image_shape)))


def _misfit(data: np.ndarray, ledger: _Ledger, dtype: np.dtype) -> str:
    """Return why `data` cannot stand beside the samples before it, or an empty string."""
    dimensions = 1 if dtype == np.int16 else 3
    if data.dtype != dtype or data.ndim != dimensions:
        raise TypeError(f"a {dimensions}-d {dtype} array is needed, not {data.ndim}-d {data.dtype}")
    if not data.size:
        return "it holds no samples"
    if dimensions == 1:
        return ""
    ledger.image_shape = ledger.image_shape or data.shape
    if data.shape == ledger.image_shape:
        return ""
    return f"its shape is {data.shape} where the first image's is {ledger.image_shape}"


def _header(dtype: np.dtype, shape: tuple[int, ...]) -> bytes:
    """Return a .npy header of one fixed length, whatever the number of rows."""
    buffer = io.BytesIO()
    descr = np.lib.format.dtype_to_descr(dtype)
    header = {"descr": descr, "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(buffer, header)
    if len(buffer.getvalue()) != _HEADER_BYTES:
        raise ValueError(f"a .npy header of {len(buffer.getvalue())} bytes for shape {shape}")
    return buffer.getvalue()


def _write_index(ledger: _Ledger, parts: Mapping[str, Path], *, modality: Modality) -> None:
    rank = {name: position for position, name in enumerate(ledger.classes)}
    labels = np.array([rank[name] for name in ledger.labels], dtype=np.int64)
    columns = {
        "position": pa.array(range(len(labels)), pa.int64()),
        "name": pa.array(ledger.names, pa.string()),
        "label": pa.array(labels),
        "class": pa.array(ledger.labels, pa.string()),
        "split": pa.array(ledger.splits, pa.string()),
    }
    if modality == "audio":
        columns["num_samples"] = pa.array(ledger.lengths, pa.int64())
        _save(parts["offsets.npy"], np.cumsum([0, *ledger.lengths], dtype=np.int64))
    _save(parts["labels.npy"], labels)
    pq.write_table(pa.table(columns), parts["index.parquet"])


def _save(path: Path, array: np.ndarray) -> None:
    with path.open("wb") as file:
        np.save(file, array)
