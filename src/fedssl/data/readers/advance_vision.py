"""ADVANCE, the photographs: one zip of 512 px aerial JPEGs, one folder per class, 13 classes.

`fedssl.data.readers.advance` describes the split and the pairs with `advance-sound`.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path

from fedssl.data.banks.bank import Modality
from fedssl.data.decode import decode_image
from fedssl.data.readers.advance import read_zip
from fedssl.data.samples import BadMember, Encoded

MODALITY: Modality = "image"


def read(archives: Mapping[str, Path]) -> Iterator[Encoded | BadMember]:
    """Yield the `train` and `test` photographs, sorted by class and id."""
    yield from read_zip(archives["vision"], decode_image, folder="vision", suffixes="jpg|jpeg")
