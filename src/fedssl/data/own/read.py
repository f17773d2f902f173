"""The user's own files as a bank's members."""

import functools
import os
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageOps

from fedssl.data.banks.samples import BadMember, Encoded, Member, UnreadableError
from fedssl.data.fetch.supplied import SOUNDS
from fedssl.data.own.items import Item, check_classes
from fedssl.data.own.listing import find_items
from fedssl.data.readers.decode import decode_audio, decode_image
from fedssl.errors import UserError

SUFFIXES = {"audio": SOUNDS, "image": frozenset({".jpg", ".jpeg", ".png"})}


def read(own: Mapping[str, Any], source: Path) -> Iterator[Member]:
    """Yield every file, decoded or with the reason why it cannot be.

    Args:
        own: as `find_items` takes it, and `modality`; for images also `size` in pixels.
        source: the folder or the csv.

    Raises:
        UserError: as `find_items`, or no file at all is of a kind that can be read, or all files
            are of one class.
    """
    items, known = find_items(own, source), SUFFIXES[own["modality"]]
    _check_suffixes(items, known, source)
    check_classes((item.label for item in items), where=str(source))
    decode = decode_audio
    if own["modality"] == "image":
        decode = functools.partial(_square, size=own["size"])
    for item in items:
        yield _member(item, known, decode)


def _member(item: Item, known: frozenset[str], decode: Callable[[bytes], np.ndarray]) -> Member:
    suffix = _suffix(item)
    if suffix not in known:
        reason = f"its suffix is {suffix or 'missing'}; {', '.join(sorted(known))} can be read"
        return BadMember(item.name, item.label, item.split, reason)
    load = functools.partial(_bytes, item)
    return Encoded(item.name, load, decode, label=item.label, split=item.split)


def _check_suffixes(items: Sequence[Item], known: frozenset[str], source: Path) -> None:
    found = Counter(map(_suffix, items))
    if not known & set(found):
        listed = ", ".join(f"{suffix or 'no suffix'} ({n})" for suffix, n in found.most_common(5))
        raise UserError(
            f"{source} names no file that can be read: {listed or 'none at all'}; files must end "
            f"in {', '.join(sorted(known))}"
        )


def _suffix(item: Item) -> str:
    return os.path.splitext(item.path)[1].lower()


def _bytes(item: Item) -> bytes:
    if not os.path.isfile(item.path):
        named = f", which {item.named_in} names," if item.named_in else ""
        raise UnreadableError(f"{item.path}{named} is no file")
    try:
        return Path(item.path).read_bytes()
    except OSError as error:
        raise UnreadableError(f"it cannot be read ({error.strerror})") from error


def _square(data: bytes, *, size: int) -> np.ndarray:
    """Return an image as (size, size, 3) uint8, its central square: a bank has one size."""
    image = Image.fromarray(decode_image(data, upright=True))
    return np.asarray(ImageOps.fit(image, (size, size), Image.Resampling.BICUBIC))
