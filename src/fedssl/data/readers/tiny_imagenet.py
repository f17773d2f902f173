"""Tiny ImageNet-200: one zip of 64 px JPEGs; the class is the WordNet id.

The official test set has no labels and is left out. The validation set is used for testing.
"""

import functools
import re
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from fedssl.data.banks.bank import Modality
from fedssl.data.decode import decode_image
from fedssl.data.readers.archive_members import open_zip, read_text, read_zip_member
from fedssl.data.samples import BadMember, Encoded
from fedssl.errors import UserError

MODALITY: Modality = "image"

_ROOT = "tiny-imagenet-200"
_TRAIN = re.compile(rf"{_ROOT}/train/(n\d+)/images/\1_\d+\.JPEG")
# The validation images are in one flat folder: their labels are in val_annotations.txt. (Reading
# it with torchvision's ImageFolder would give a single class.)
_VALIDATION = re.compile(rf"{_ROOT}/val/images/(val_\d+\.JPEG)")


def read(archives: Mapping[str, Path]) -> Iterator[Encoded | BadMember]:
    """Yield the `train` and `validation` images, sorted by name.

    Raises:
        UserError: the archive is damaged or has no annotations.
    """
    with open_zip(archives["images"]) as archive:
        annotations = _annotations(archive, archives["images"])
        for name in sorted(archive.namelist()):
            load = functools.partial(read_zip_member, archive, name)
            if train := _TRAIN.fullmatch(name):
                yield Encoded(name, load, decode_image, label=train[1], split="train")
            elif validation := _VALIDATION.fullmatch(name):
                label = annotations.get(validation[1])
                if label is None:
                    yield BadMember(name, None, "validation", "val_annotations.txt has no such row")
                else:
                    yield Encoded(name, load, decode_image, label=label, split="validation")


def _annotations(archive: zipfile.ZipFile, path: Path) -> dict[str, str]:
    """Return file name -> WordNet id of the validation images."""
    # The columns are separated by tabs: file name, WordNet id, and four numbers of a box.
    name = f"{_ROOT}/val/val_annotations.txt"
    if name not in archive.namelist():
        raise UserError(f"{path} has no {name}")
    text = read_text(functools.partial(read_zip_member, archive, name), f"{name} of {path}")
    rows = (line.split("\t") for line in text.splitlines())
    return {row[0]: row[1] for row in rows if len(row) > 1}
