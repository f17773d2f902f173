"""NSynth: a tar.gz per split, 4 s notes of 1,006 instruments, class = instrument family.

Each archive has `examples.json`, which describes every note by its name, and `audio/<note>.wav`.
Instruments of train occur in neither other split, so the instrument itself cannot be the class.
Names such as `synth_lead_synthetic_000-060-100` do not say where the family ends: the json does.
"""

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from fedssl.data.banks.bank import Modality
from fedssl.data.banks.members import BadMember, Encoded, UnreadableError
from fedssl.data.readers.archive_members import read_required, tar_members
from fedssl.data.readers.decode import decode_audio
from fedssl.errors import UserError

MODALITY: Modality = "audio"

NOTE_SAMPLES = 64_000

_ROOTS = {"train": "nsynth-train", "validation": "nsynth-valid", "test": "nsynth-test"}
_FAMILY = "instrument_family_str"


def read(archives: Mapping[str, Path]) -> Iterator[Encoded | BadMember]:
    """Yield the `train`, `validation` and `test` notes in the order of their archives."""
    for split, root in _ROOTS.items():
        yield from _read_split(archives[split], root, split=split)


def _read_split(path: Path, root: str, *, split: str) -> Iterator[Encoded | BadMember]:
    """Yield one archive's notes; the json may stand behind them, so a first pass finds it."""
    families = _families(path, root)
    wanted = re.compile(rf"{root}/audio/([^/]+)\.wav")
    for name, load in tar_members(path):
        if match := wanted.fullmatch(name):
            note = match[1]
            family = families.pop(note, None)
            if family is None:
                yield BadMember(name, None, split, "examples.json has no such note left")
            else:
                yield Encoded(f"{split}/{note}", load, _decode_note, label=family, split=split)
    for note, family in families.items():
        reason = "examples.json describes it and the archive has no such wav"
        yield BadMember(f"{split}/{note}", family, split, reason)


def _decode_note(data: bytes) -> np.ndarray:
    waveform = decode_audio(data)
    if len(waveform) != NOTE_SAMPLES:
        raise UnreadableError(f"it has {len(waveform)} samples at 16 kHz, not {NOTE_SAMPLES}")
    return waveform


def _families(path: Path, root: str) -> dict[str, str]:
    """Return note -> instrument family of an archive."""
    for name, load in tar_members(path):
        if name == f"{root}/examples.json":
            where = f"{root}/examples.json of {path}"
            return _parse(read_required(load, where), where)
    raise UserError(f"{path} has no {root}/examples.json")


def _parse(data: bytes, where: str) -> dict[str, str]:
    try:
        notes = json.loads(data, object_pairs_hook=_family_only)
    except (ValueError, RecursionError) as error:
        raise UserError(f"{where} is not JSON ({error}); acquire it again") from error
    if not isinstance(notes, dict) or not all(isinstance(kind, str) for kind in notes.values()):
        raise UserError(f"{where} must say {_FAMILY} of every note")
    return notes


def _family_only(pairs: list[tuple[str, Any]]) -> Any:
    """Return a note's family alone: 289,205 whole descriptions would fill a gigabyte."""
    fields = dict(pairs)
    return fields.get(_FAMILY, fields)
