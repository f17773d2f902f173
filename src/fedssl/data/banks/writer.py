"""Stream what a reader yields into a bank, in bounded memory."""

import contextlib
import io
import itertools
import logging
import shutil
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from fedssl.data.banks.bank import FILES, FORMAT, Modality
from fedssl.data.banks.journal import Journal
from fedssl.data.banks.ledger import Ledger, row
from fedssl.data.banks.pipeline import decoded, quiet_pillow
from fedssl.data.banks.samples import Member, Sample
from fedssl.files import atomic_write, digest, sha256, write_json
from fedssl.progress import Pace

_LOG = logging.getLogger(__name__)

DTYPES: Mapping[Modality, np.dtype] = {"image": np.dtype(np.uint8), "audio": np.dtype(np.int16)}
HEADER_BYTES = 128


def write_bank(
    members: Iterable[Member],
    folder: str | Path,
    *,
    dataset: str,
    modality: Modality,
    num_classes: int | None,
    counts: Mapping[str, int | None],
    max_bad_share: float,
    unverified: Collection[str] = (),
    journal: Journal,
    threads: int = 1,
    pace: Pace | None = None,
) -> dict[str, Any]:
    """Write a bank to `folder` and return what its bank.json says.

    Memory holds a few samples and the index. bank.json comes last, so a folder that has one is a
    whole bank. The same members give the same bytes, whatever the threads and however often an
    earlier run was killed.

    Args:
        members: what a reader yields; a class id is the rank of the class name.
        folder: made if missing.
        dataset: name of the dataset.
        modality: image or audio.
        num_classes: declared classes; None where they are counted only.
        counts: declared members per split, unreadable and absent ones included; None where it
            is not known: then what is there counts.
        max_bad_share: largest share of unreadable members among those that are there, 0 to 1.
        unverified: `classes` and the splits whose declared number nobody has counted yet.
        journal: holds the data while it is being written, and what an earlier run wrote of it.
        threads: that decode.
        pace: told of every member.

    Raises:
        UserError: too many unreadable members, counts other than the declared ones, or a
            declared split without a single sample.
    """
    folder, ledger = Path(folder), Ledger(dataset, frozenset(unverified))
    for leftover in [part for name in FILES[modality] for part in folder.glob(f".{name}.*.part")]:
        leftover.unlink()  # by a killed process: whoever writes here holds the journal's lock
    _stream(members, journal, ledger, dtype=DTYPES[modality], threads=threads, pace=pace or Pace())
    ledger.check_bad(max_bad_share)
    ledger.check_counts(counts, num_classes=num_classes)
    if ledger.absent:
        _LOG.warning("%s lacks %d members, listed in bank.json", dataset, len(ledger.absent))
    with contextlib.ExitStack() as stack:
        parts = {name: stack.enter_context(atomic_write(folder / name)) for name in FILES[modality]}
        data = FILES[modality][0]
        _write_index(ledger, parts, modality=modality)
        written = {**parts, data: journal.data_path}
        files = {name: _described(path) for name, path in written.items()}
        facts = {"format": FORMAT, "modality": modality, **ledger.facts(modality), "files": files}
        facts["digest"] = digest(facts)
        _retire(folder / "bank.json", facts["digest"])
        shutil.move(journal.data_path, parts[data])
    write_json(folder / "bank.json", facts)
    return facts


def _described(path: Path) -> dict[str, Any]:
    return {"sha256": sha256(path), "size": path.stat().st_size}


def _retire(path: Path, new_digest: str) -> None:
    """Remove the bank.json of other arrays; equal ones may be in use by another workflow."""
    if path.exists() and new_digest not in path.read_text(encoding="utf-8"):
        path.unlink()


def _stream(
    members: Iterable[Member],
    journal: Journal,
    ledger: Ledger,
    *,
    dtype: np.dtype,
    threads: int,
    pace: Pace,
) -> None:
    """Append every sample's data to one .npy file, whose header is completed at the end."""
    for entry in journal.rows:
        ledger.enter(entry)
    pace.start(ledger.members)
    with quiet_pillow():
        for member in decoded(itertools.islice(members, ledger.members, None), threads=threads):
            _check_type(member, dtype)
            judged = ledger.judged(member)
            data = judged.data.tobytes() if isinstance(judged, Sample) else b""
            entry = row(judged)
            ledger.enter(entry)
            journal.add(entry, data)
            pace.advance(len(data))
    journal.commit()
    pace.finish()
    with journal.data_path.open("r+b") as file:
        file.write(_header(dtype, (sum(ledger.lengths), *ledger.image_shape)))


def _check_type(member: Member, dtype: np.dtype) -> None:
    """Raise TypeError where a reader yields what no bank of this modality can hold."""
    dimensions = 1 if dtype == np.int16 else 3
    if isinstance(member, Sample) and (member.data.dtype, member.data.ndim) != (dtype, dimensions):
        found = f"{member.data.ndim}-d {member.data.dtype}"
        raise TypeError(f"a {dimensions}-d {dtype} array is needed, not {found}")


def _header(dtype: np.dtype, shape: tuple[int, ...]) -> bytes:
    """Return a .npy header of one fixed length, whatever the number of rows."""
    buffer = io.BytesIO()
    descr = np.lib.format.dtype_to_descr(dtype)
    header = {"descr": descr, "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(buffer, header)
    if len(buffer.getvalue()) != HEADER_BYTES:
        raise ValueError(f"a .npy header of {len(buffer.getvalue())} bytes for shape {shape}")
    return buffer.getvalue()


def _write_index(ledger: Ledger, parts: Mapping[str, Path], *, modality: Modality) -> None:
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
