"""ADVANCE, the sounds: one zip of 10 s recordings with one folder per class, 13 classes.

`fedssl.data.readers.advance` describes the split and the pairs with `advance-vision`.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path

from fedssl.data.banks.bank import Modality
from fedssl.data.readers.advance import read_zip
from fedssl.data.readers.sounds import read_sound
from fedssl.data.samples import BadMember, Encoded

MODALITY: Modality = "audio"


def read(archives: Mapping[str, Path]) -> Iterator[Encoded | BadMember]:
    """Yield the `train` and `test` sounds, sorted by class and id."""
    yield from read_zip(archives["sound"], read_sound, folder="sound", suffixes="wav")
