"""NSynth: one tar.gz per split with 4 s notes of 1,006 instruments; the class is the family.

Each archive has `examples.json`, which describes every note, and `audio/<note>.wav`. The class is
the instrument family and not the instrument: no instrument of train is in the other splits.
"""

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from fedssl.data.banks.bank import Modality
from fedssl.data.readers.archive_members import read_required, tar_members
from fedssl.data.readers.sounds import read_sound
from fedssl.data.samples import BadMember, Encoded, Noted, UnreadableError
from fedssl.errors import UserError
from fedssl.settings import SoundType

MODALITY: Modality = "audio"

NOTE_SAMPLES = 64_000

_ROOTS = {"train": "nsynth-train", "validation": "nsynth-valid", "test": "nsynth-test"}
# The family comes from the JSON file. It cannot be parsed from a note's name, because families can
# contain "_", as in `synth_lead_synthetic_000-060-100`.
_FAMILY = "instrument_family_str"


def read(archives: Mapping[str, Path]) -> Iterator[Encoded | BadMember]:
    """Yield the `train`, `validation` and `test` notes, in the order of their archives.

    Raises:
        UserError: an archive is damaged, or its examples.json is missing or invalid.
    """
    for split, root in _ROOTS.items():
        yield from _read_split(archives[split], root, split=split)


def _read_split(path: Path, root: str, *, split: str) -> Iterator[Encoded | BadMember]:
    """Yield the notes of one archive."""
    # examples.json can come after the notes in the archive, so a first pass looks for it. Keeping
    # the notes in memory until then would need tens of gigabytes.
    families = _families(path, root)
    wanted = re.compile(rf"{root}/audio/([^/]+)\.wav")
    for name, load in tar_members(path):
        if match := wanted.fullmatch(name):
            note = match[1]
            # Remove the note: a second member of its name is bad, and what remains in the end has
            # no WAV file.
            family = families.pop(note, None)
            if family is None:
                yield BadMember(name, None, split, "examples.json has no such note left")
            else:
                yield Encoded(f"{split}/{note}", load, _decode_note, label=family, split=split)
    for note, family in families.items():
        reason = "examples.json describes it and the archive has no such wav"
        yield BadMember(f"{split}/{note}", family, split, reason)


def _decode_note(data: bytes, *, dtype: SoundType = "int16") -> Noted:
    note = read_sound(data, dtype=dtype)
    if len(note.data) != NOTE_SAMPLES:
        raise UnreadableError(f"it has {len(note.data)} samples at 16 kHz, not {NOTE_SAMPLES}")
    return note


def _families(path: Path, root: str) -> dict[str, str]:
    """Return note -> instrument family, from the examples.json of an archive."""
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
        raise UserError(f"{where} must give {_FAMILY} for every note")
    return notes


def _family_only(pairs: list[tuple[str, Any]]) -> Any:
    """Return only the family of a note's description; return other objects unchanged."""
    # All fields of 289,205 descriptions would need a gigabyte of memory.
    fields = dict(pairs)
    return fields.get(_FAMILY, fields)
