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
from fedssl.data.banks.decoding import decode_members, quiet_pillow
from fedssl.data.banks.member_table import MemberTable, member_row
from fedssl.data.banks.members import Member, Sample
from fedssl.data.banks.partial_bank import PartialBank
from fedssl.files import atomic_write, digest, sha256, write_json
from fedssl.progress import MemberProgress

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
    partial: PartialBank,
    threads: int = 1,
    progress: MemberProgress | None = None,
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
        partial: holds the data while it is being written, and what an earlier run wrote of it.
        threads: that decode.
        progress: told of every member.

    Raises:
        UserError: too many unreadable members, counts other than the declared ones, or a
            declared split without a single sample.
    """
    folder, table = Path(folder), MemberTable(dataset, frozenset(unverified))
    for leftover in [part for name in FILES[modality] for part in folder.glob(f".{name}.*.part")]:
        leftover.unlink()  # by a killed process: whoever writes here holds the partial's lock
    _stream(
        members,
        partial,
        table,
        dtype=DTYPES[modality],
        threads=threads,
        progress=progress or MemberProgress(),
    )
    table.check_bad(max_bad_share)
    table.check_counts(counts, num_classes=num_classes)
    if table.absent:
        _LOG.warning("%s lacks %d members, listed in bank.json", dataset, len(table.absent))
    with contextlib.ExitStack() as stack:
        parts = {name: stack.enter_context(atomic_write(folder / name)) for name in FILES[modality]}
        data = FILES[modality][0]
        _write_index(table, parts, modality=modality)
        written = {**parts, data: partial.data_path}
        files = {name: _described(path) for name, path in written.items()}
        facts = {"format": FORMAT, "modality": modality, **table.facts(modality), "files": files}
        facts["digest"] = digest(facts)
        _retire(folder / "bank.json", facts["digest"])
        shutil.move(partial.data_path, parts[data])
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
    partial: PartialBank,
    table: MemberTable,
    *,
    dtype: np.dtype,
    threads: int,
    progress: MemberProgress,
) -> None:
    """Append every sample's data to one .npy file, whose header is completed at the end."""
    for entry in partial.rows:
        table.add(entry)
    progress.start(table.members)
    with quiet_pillow():
        for member in decode_members(
            itertools.islice(members, table.members, None), threads=threads
        ):
            _check_type(member, dtype)
            checked = table.checked(member)
            data = checked.data.tobytes() if isinstance(checked, Sample) else b""
            entry = member_row(checked)
            table.add(entry)
            partial.add(entry, data)
            progress.advance(len(data))
    partial.commit()
    progress.finish()
    with partial.data_path.open("r+b") as file:
        file.write(_header(dtype, (sum(table.lengths), *table.image_shape)))


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


def _write_index(table: MemberTable, parts: Mapping[str, Path], *, modality: Modality) -> None:
    rank = {name: position for position, name in enumerate(table.classes)}
    labels = np.array([rank[name] for name in table.labels], dtype=np.int64)
    columns = {
        "position": pa.array(range(len(labels)), pa.int64()),
        "name": pa.array(table.names, pa.string()),
        "label": pa.array(labels),
        "class": pa.array(table.labels, pa.string()),
        "split": pa.array(table.splits, pa.string()),
    }
    if modality == "audio":
        columns["num_samples"] = pa.array(table.lengths, pa.int64())
        _save(parts["offsets.npy"], np.cumsum([0, *table.lengths], dtype=np.int64))
    _save(parts["labels.npy"], labels)
    pq.write_table(pa.table(columns), parts["index.parquet"])


def _save(path: Path, array: np.ndarray) -> None:
    with path.open("wb") as file:
        np.save(file, array)
