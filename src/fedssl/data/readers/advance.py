"""ADVANCE: aerial photographs and the sounds of their places, in a zip of each modality.

A bank has one modality, so `advance-vision` and `advance-sound` are two datasets. Names, order and
splits of both come from `<class>/<id>` alone, which the two zips share, so row i of one bank is
the partner of row i of the other; `fedssl.data.pairing` joins them by name.

paper: 0.7 / 0.1 / 0.2 per class, drawn from an unsorted directory listing, which cannot be drawn
again; here: 0.7 / 0.3 per class, drawn from sorted ids. Photographs of one place differ by an
offset and share the first five characters of their id, so places are drawn, not photographs.
"""

import functools
import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import numpy as np

from fedssl.data.banks.members import BadMember, Encoded
from fedssl.data.readers.archive_members import open_zip, read_zip_member
from fedssl.errors import UserError
from fedssl.randomness import stream

_PLACE_CHARACTERS = 5
_TRAIN_PERCENT = 70


def read_zip(
    path: Path, decode: Callable[[bytes], np.ndarray], *, folder: str, suffixes: str
) -> Iterator[Encoded | BadMember]:
    """Yield the `train` and `test` members `<folder>/<class>/<id>.<suffix>` in order of name.

    Args:
        path: the zip.
        decode: bytes of a member to its array.
        folder: vision or sound.
        suffixes: accepted ones, as alternatives of a regular expression.
    """
    member = re.compile(
        rf"(?:(?!__MACOSX/).*/)?{folder}/(?P<label>[^/]+)/(?P<id>[^./][^/]*?)(?:\.(?:{suffixes}))+",
        re.IGNORECASE,
    )
    with open_zip(path) as archive:
        found = [match for match in map(member.fullmatch, archive.namelist()) if match]
        if not found:
            raise UserError(f"{path} has no member {folder}/<class>/<id>.{suffixes.split('|')[0]}")
        ordered = sorted(found, key=_key)
        split_of = split_by_place(map(_key, ordered))
        previous = None
        for match in ordered:
            label, identity = key = _key(match)
            name, split = f"{label}/{identity}", split_of[key]
            if key == previous:
                yield BadMember(match[0], label, None, f"the archive has {name} twice")
                continue
            previous = key
            load = functools.partial(read_zip_member, archive, match[0])
            yield Encoded(name, load, decode, label=label, split=split)


def _key(match: re.Match[str]) -> tuple[str, str]:
    return match["label"], match["id"]


def split_by_place(keys: Iterable[tuple[str, str]]) -> dict[tuple[str, str], str]:
    """Return (class, id) -> train or test; all of a place is in one, even if classes share it."""
    places: dict[str, set[str]] = {}
    keys = list(keys)
    for label, identity in keys:
        places.setdefault(label, set()).add(identity[:_PLACE_CHARACTERS])
    train: set[str] = set()
    drawn: set[str] = set()
    for label in sorted(places):
        fresh = sorted(places[label] - drawn)
        order = stream(0, f"advance {label}").permutation(len(fresh))
        train.update(fresh[i] for i in order[: len(fresh) * _TRAIN_PERCENT // 100])
        drawn.update(fresh)
    return {key: "train" if key[1][:_PLACE_CHARACTERS] in train else "test" for key in keys}
