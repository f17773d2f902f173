"""Write the members that a reader yields to a bank, in bounded memory."""

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
from fedssl.data.banks.block_hashes import file_facts
from fedssl.data.banks.decoding import decode_members, quiet_pillow
from fedssl.data.banks.levels import described, sound_facts, warnings
from fedssl.data.banks.member_table import MemberTable, member_row
from fedssl.data.banks.partial_bank import PartialBank
from fedssl.data.samples import CANCELLED, Member, Sample
from fedssl.files import atomic_write, digest, write_json
from fedssl.progress import MemberProgress
from fedssl.settings import SoundType

_LOG = logging.getLogger(__name__)

# Length of the .npy header. The data are written before their shape is known, so the header must
# have a fixed length that can be filled in at the end.
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
    sound: SoundType = "int16",
    partial: PartialBank,
    workers: int = 1,
    progress: MemberProgress | None = None,
) -> dict[str, Any]:
    """Write a bank to `folder` and return the contents of its bank.json.

    The same members give the same bytes, for any number of workers and of killed earlier runs.
    The label of a sample is the index of its class among the sorted class names. Memory holds only
    a few samples and the index. `partial` holds the data while they are written, including what an
    earlier run wrote. `num_classes`, `counts`, `max_bad_share` and `unverified` are the
    declarations that `BankContents` describes, and `sound` is the type of the samples of sound.

    Raises:
        UserError: too many members are unreadable, counts differ from the declared ones, or a
            declared split has no sample.
    """
    folder, table = Path(folder), MemberTable(dataset, frozenset(unverified))
    _remove_leftovers(folder, FILES[modality])
    progress = progress or MemberProgress()
    dtype = np.dtype(sound if modality == "audio" else np.uint8)
    _write_data(members, partial, table, dtype=dtype, workers=workers, progress=progress)
    table.check_bad(max_bad_share)
    table.check_counts(counts, num_classes=num_classes)
    if table.absent:
        _LOG.warning("%s lacks %d members, listed in bank.json", dataset, len(table.absent))
    facts = _write_files(table, partial.data_path, folder, modality=modality, sound=sound)
    if "sound" in facts:
        _LOG.info("%s: %s", dataset, described(facts["sound"]))
        for warning in warnings(facts["sound"]):
            _LOG.warning("%s: %s", dataset, warning)
    for note, found in facts.get("notes", {}).items():
        _LOG.warning(
            "%s: %d members, such as %s: %s", dataset, found["members"], found["first"][0], note
        )
    return facts


def _write_files(
    table: MemberTable, data_path: Path, folder: Path, *, modality: Modality, sound: SoundType
) -> dict[str, Any]:
    """Write the index, move the data into place, and write bank.json; return its contents."""
    names = FILES[modality]
    with contextlib.ExitStack() as stack:
        parts = {name: stack.enter_context(atomic_write(folder / name)) for name in names}
        _write_index(table, parts, modality=modality)
        facts = {"format": FORMAT, "modality": modality, **table.facts(modality)}
        facts |= file_facts({**parts, names[0]: data_path})
        if modality == "audio":
            cancelled = len(table.notes.get(CANCELLED, ()))
            facts["sound"] = sound_facts(table.levels, dtype=sound, cancelled=cancelled)
        facts["digest"] = _contents_digest(facts)
        _remove_outdated(folder / "bank.json", facts["digest"])
        # Move the data, because a copy would need the space of the bank twice.
        shutil.move(data_path, parts[names[0]])
    # bank.json is written last: a folder with a bank.json holds a complete bank.
    write_json(folder / "bank.json", facts)
    return facts


def _contents_digest(facts: Mapping[str, Any]) -> str:
    """Return a digest of what the bank holds: arrays, index and the names of bad members."""
    # Not of reasons and notes: they describe the files, and may be worded better. Nor of what the
    # files themselves tell.
    held = {key: value for key, value in facts.items() if key not in ("blocks", "notes", "sound")}
    return digest({**held, "bad": [{"name": bad["name"]} for bad in facts["bad"]]})


def _remove_leftovers(folder: Path, names: Iterable[str]) -> None:
    """Remove temporary files of killed processes."""
    # No other process can be writing here now, because this one holds the lease of the bank.
    for name in names:
        for leftover in folder.glob(f".{name}.*.part"):
            leftover.unlink()


def _remove_outdated(path: Path, new_digest: str) -> None:
    """Remove the bank.json of an earlier bank, unless the bank has not changed.

    An unchanged bank may be in use by another workflow that shares the data folder.
    """
    if path.exists() and new_digest not in path.read_text(encoding="utf-8"):
        path.unlink()


def _write_data(
    members: Iterable[Member],
    partial: PartialBank,
    table: MemberTable,
    *,
    dtype: np.dtype,
    workers: int,
    progress: MemberProgress,
) -> None:
    """Append the data of every sample to the data file, and write its header at the end."""
    # Members of an earlier run are skipped without decoding them. This relies on readers yielding
    # the same members in the same order every time.
    for entry in partial.rows:
        table.add(entry)
    progress.start(table.members)
    with quiet_pillow():
        for member in decode_members(
            itertools.islice(members, table.members, None), workers=workers
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
    """Raise TypeError if a sample has the wrong type, which is a bug in the reader."""
    dimensions = 3 if dtype == np.uint8 else 1
    if isinstance(member, Sample) and (member.data.dtype, member.data.ndim) != (dtype, dimensions):
        found = f"{member.data.ndim}-d {member.data.dtype}"
        raise TypeError(f"a {dimensions}-d {dtype} array is needed, not {found}")


def _header(dtype: np.dtype, shape: tuple[int, ...]) -> bytes:
    """Return a .npy header with the fixed length HEADER_BYTES."""
    # NumPy pads the header, so that the shape can grow. An unusual shape could exceed that.
    buffer = io.BytesIO()
    descr = np.lib.format.dtype_to_descr(dtype)
    header = {"descr": descr, "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(buffer, header)
    if len(buffer.getvalue()) != HEADER_BYTES:
        raise ValueError(
            f"the .npy header for shape {shape} has {len(buffer.getvalue())} bytes; it must have "
            f"{HEADER_BYTES}"
        )
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
        "content": pa.array(table.contents, pa.int64()),
    }
    if modality == "audio":
        columns["num_samples"] = pa.array(table.lengths, pa.int64())
        _save(parts["offsets.npy"], np.cumsum([0, *table.lengths], dtype=np.int64))
    _save(parts["labels.npy"], labels)
    pq.write_table(pa.table(columns), parts["index.parquet"])


def _save(path: Path, array: np.ndarray) -> None:
    with path.open("wb") as file:
        np.save(file, array)
