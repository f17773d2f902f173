"""Read the files of an own dataset as members of a bank."""

import functools
import logging
import os
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from fedssl.data.banks.settings import OwnFiles
from fedssl.data.decode import read_image
from fedssl.data.fetch.manual_files import SOUNDS
from fedssl.data.own.folder import count_leftovers
from fedssl.data.own.labelled_files import TRAIN, LabelledFile, check_classes, odd_classes
from fedssl.data.own.listing import find_files
from fedssl.data.readers.sounds import read_sound
from fedssl.data.samples import BadMember, Encoded, Member, Noted, UnreadableError
from fedssl.errors import UserError

_LOG = logging.getLogger(__name__)
# Large images are read with at least this multiple of the bank's pixels on each side.
_REDUCED = 4
_IMAGES = {
    **dict.fromkeys((".jpg", ".jpeg", ".jpe", ".jfif"), "JPEG"),
    **dict.fromkeys((".tif", ".tiff"), "TIFF"),
    **{".png": "PNG", ".webp": "WEBP", ".bmp": "BMP"},
}
SUFFIXES = {"audio": SOUNDS, "image": frozenset(_IMAGES)}
_CONVERTED = {
    "audio": "convert it to .flac or .wav, for example with ffmpeg",
    "image": "convert it to .png or .jpg, for example with ImageMagick",
}


def read(own: OwnFiles, source: Path) -> Iterator[Member]:
    """Yield every file as a member; files that cannot be read become bad members.

    Args:
        own: how to find and read the files.
        source: path of the folder or the CSV file.

    Raises:
        UserError: `find_files` fails, no file has a known suffix, or all files have one class.
    """
    files, known = find_files(own, source), SUFFIXES[own.modality]
    if own.kind == "folder" and (passed := count_leftovers(source)):
        _LOG.warning(
            "%s: passed over %d files and folders of operating systems: %s",
            *(source, passed.total(), ", ".join(f"{name} ({n})" for name, n in passed.items())),
        )
    _check_suffixes(files, known, source)
    check_classes((file.label for file in files), where=str(source))
    if {file.split for file in files} == {TRAIN}:
        raise UserError(
            f"{source} has too few files in each class for a test_share of {own.test_share:g}: the "
            "split test would be empty; add files, or raise test_share"
        )
    for warning in odd_classes(files):
        _LOG.warning("%s: %s", source, warning)
    yield from (member(file, own) for file in files)


def member(file: LabelledFile, own: OwnFiles) -> Encoded | BadMember:
    """Return a file as a member that is read and decoded later; bad if its suffix is unknown."""
    suffix, known = _suffix(file), SUFFIXES[own.modality]
    if suffix not in known:
        reason = f"its suffix is {suffix or 'missing'}; {', '.join(sorted(known))} can be read, so "
        reason += _CONVERTED[own.modality]
        return BadMember(file.name, file.label, file.split, reason)
    decode: Callable[..., Noted] = functools.partial(read_sound, max_minutes=own.max_minutes)
    if own.modality == "image":
        decode = functools.partial(_square_image, own=own)
    load = functools.partial(_read_bytes, file, most=round(own.max_megabytes * 1e6))
    return Encoded(file.name, load, decode, label=file.label, split=file.split)


# A few unknown files are bad members, which max_bad_share limits. If all files are unknown, the
# modality or the folder is wrong, and one message about that is clearer.
def _check_suffixes(files: Sequence[LabelledFile], known: frozenset[str], source: Path) -> None:
    found = Counter(map(_suffix, files))
    if not known & set(found):
        listed = ", ".join(f"{suffix or 'no suffix'} ({n})" for suffix, n in found.most_common(5))
        raise UserError(
            f"{source} names no file that can be read: {listed or 'no file at all'}; files must "
            f"end in {', '.join(sorted(known))}"
        )


def _suffix(file: LabelledFile) -> str:
    return os.path.splitext(file.path)[1].lower()


def _read_bytes(file: LabelledFile, *, most: int) -> bytes:
    if not os.path.isfile(file.path):
        where = f"line {file.line} names it, but " if file.line else ""
        slashes = "; write / between folders, not \\" if "\\" in file.name else ""
        raise UnreadableError(f"{where}it is no file{slashes}")
    if not (found := os.path.getsize(file.path)):
        raise UnreadableError("its file is empty")
    if found > most:
        raise UnreadableError(f"it has {found} bytes where {most} are allowed, see max_megabytes")
    try:
        return Path(file.path).read_bytes()
    except OSError as error:
        raise UnreadableError("its file cannot be read") from error


def _square_image(data: bytes, *, own: OwnFiles) -> Noted:
    """Return the central square of an image, resized to (size, size, 3) uint8."""
    # A bank is one array, so all images need one size. Photographs are turned upright first: many
    # cameras store the orientation only in the EXIF data.
    # From a reduced image, pixels of 12-megapixel photographs differ by 0.2 of 255 on average and
    # by 11 at most from those of the whole image. From a smaller one, they would differ by more.
    found = read_image(
        data,
        upright=True,
        bits=own.bits,
        max_megapixels=own.max_megapixels,
        least=_REDUCED * own.size,
        formats=tuple(sorted(set(_IMAGES.values()))),
    )
    image, size = Image.fromarray(found.data), (own.size, own.size)
    return Noted(np.asarray(ImageOps.fit(image, size, Image.Resampling.BICUBIC)), found.notes)
