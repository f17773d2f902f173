"""Decode files to banks in memory, a chunk at a time."""

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from itertools import islice
from typing import Any

import numpy as np

from fedssl.data.banks.bank import Bank, Modality
from fedssl.data.banks.rows import MemoryRows
from fedssl.data.banks.settings import OwnFiles
from fedssl.data.own.labelled_files import LabelledFile
from fedssl.data.own.read import member
from fedssl.data.samples import BadMember, Noted, UnreadableError
from fedssl.settings import SoundType

# A multiple of the batch of feature extraction: batches are then those of a bank of all files.
_CHUNK = 1024


def memory_banks(
    files: Sequence[LabelledFile], own: OwnFiles, *, sound: SoundType, unreadable: dict[str, str]
) -> Iterator[tuple[list[str], Bank]]:
    """Yield the names and the bank of each chunk of the files that can be decoded.

    Args:
        files: files of the modality in `own`.
        own: how files are decoded, as those of a user's own dataset.
        sound: type of the samples of sound.
        unreadable: gets the name and the reason of each file that cannot be decoded.
    """
    options = {"dtype": sound} if own.modality == "audio" else {}
    decoded = _decoded(files, partial(_data, own=own, options=options), unreadable)
    while chunk := list(islice(decoded, _CHUNK)):
        names, data = zip(*chunk, strict=True)
        yield list(names), _bank(data, own.modality)


def _decoded(
    files: Sequence[LabelledFile], data_of: Any, unreadable: dict[str, str]
) -> Iterator[tuple[str, np.ndarray]]:
    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        for start in range(0, len(files), _CHUNK):
            chunk = files[start : start + _CHUNK]
            for file, data in zip(chunk, pool.map(data_of, chunk), strict=True):
                if isinstance(data, str):
                    unreadable[file.name] = data
                else:
                    yield file.name, data


def _data(file: LabelledFile, *, own: OwnFiles, options: dict[str, Any]) -> np.ndarray | str:
    """Return the data of a file, or the reason why it cannot be decoded."""
    encoded = member(file, own)
    if isinstance(encoded, BadMember):
        return encoded.reason
    try:
        found = encoded.decode(encoded.read(), **options)
    except UnreadableError as error:
        return str(error)
    return found.data if isinstance(found, Noted) else found


def _bank(data: Sequence[np.ndarray], modality: Modality) -> Bank:
    """Return samples as a bank in memory, without labels."""
    whole = np.stack(data) if modality == "image" else np.concatenate(data)
    bank = Bank(
        dataset="files",
        modality=modality,
        classes=(),
        digest="",
        labels=np.zeros(len(data), np.int64),
        splits=np.full(len(data), "all"),
        absent=0,
        contents=None,
        rows=MemoryRows(whole),
        images=whole,
        waveforms=None,
        offsets=None,
    )
    if modality == "image":
        return bank
    return replace(bank, images=None, waveforms=whole, offsets=np.cumsum([0, *map(len, data)]))
