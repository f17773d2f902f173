"""ADVANCE, heard: one zip of 10 s sounds, a folder per class, 13 classes.

See `fedssl.data.readers.advance` for the split, and for how its rows pair with those of
`advance-vision`.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path

from fedssl.data.banks.bank import Modality
from fedssl.data.banks.members import BadMember, Encoded
from fedssl.data.readers.advance import read_zip
from fedssl.data.readers.decode import decode_audio

MODALITY: Modality = "audio"


def read(archives: Mapping[str, Path]) -> Iterator[Encoded | BadMember]:
    """Yield the `train` and `test` sounds in order of class and id."""
    yield from read_zip(archives["sound"], decode_audio, folder="sound", suffixes="wav")
