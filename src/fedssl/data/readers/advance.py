"""ADVANCE: aerial photographs and the sounds of the same places, one zip per modality.

A bank has one modality, so `advance-vision` and `advance-sound` are two datasets. Names, order and
splits depend only on `<class>/<id>`, which both zips share. Row i of one bank is therefore the
partner of row i of the other; `fedssl.data.pairing` joins them by name.

paper: 0.7 / 0.1 / 0.2 per class, drawn from an unsorted directory listing, so the split cannot be
reproduced; here: 0.7 / 0.3 per class, drawn from sorted ids.
"""

import functools
import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import numpy as np

from fedssl.data.readers.archive_members import open_zip, read_zip_member
from fedssl.data.samples import BadMember, Encoded, Noted
from fedssl.errors import UserError
from fedssl.randomness import stream

# Photographs of one place overlap, and their ids share the first five characters. Splitting single
# photographs would put nearly equal images into train and test.
_PLACE_CHARACTERS = 5
_TRAIN_PERCENT = 70


def read_zip(
    path: Path, decode: Callable[[bytes], np.ndarray | Noted], *, folder: str, suffixes: str
) -> Iterator[Encoded | BadMember]:
    """Yield the `train` and `test` members `<folder>/<class>/<id>.<suffix>`, sorted by name.

    Args:
        path: the zip archive.
        decode: function from a member's bytes to its array.
        folder: "vision" or "sound".
        suffixes: accepted suffixes, as alternatives of a regular expression.

    Raises:
        UserError: the archive is damaged or has no such member.
    """
    # Zips that were packed again on macOS hold a second entry per file below __MACOSX, and file
    # names that start with a dot. Both look like members but are metadata.
    member = re.compile(
        rf"(?:(?!__MACOSX/).*/)?{folder}/(?P<label>[^/]+)/(?P<id>[^./][^/]*?)(?:\.(?:{suffixes}))+",
        re.IGNORECASE,
    )
    with open_zip(path) as archive:
        found = [match for match in map(member.fullmatch, archive.namelist()) if match]
        if not found:
            raise UserError(
                f"{path} has no member {folder}/<class>/<id>.{suffixes.split('|')[0]}; "
                "it must be an ADVANCE archive"
            )
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
    """Return (class, id) -> "train" or "test"; all photographs of a place are in one split."""
    # Classes can share a place. It is drawn with the first class that has it, and `drawn` keeps it
    # from being drawn again, so that no place crosses the splits.
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
