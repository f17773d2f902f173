"""Free Spoken Digit Dataset: one zip of 8 kHz recordings named `{digit}_{speaker}_{index}.wav`.

The archive is a commit of the repository: no release has all 3,000 recordings (v1.0.9 has 2,500).
"""

import functools
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from fedssl.data.banks.bank import Modality
from fedssl.data.readers.archive_members import open_zip, read_zip_member
from fedssl.data.readers.sounds import read_sound
from fedssl.data.samples import BadMember, Encoded

MODALITY: Modality = "audio"

_RECORDING = re.compile(r"free-spoken-digit-dataset-[^/]+/recordings/(\d)_[a-z]+_(\d+)\.wav")
# The official split: recordings 0 to 4 of each digit and speaker are test. Speakers are therefore
# in both splits.
_TEST_RECORDINGS = 5


def read(archives: Mapping[str, Path]) -> Iterator[Encoded | BadMember]:
    """Yield the `train` and `test` recordings, sorted by name."""
    with open_zip(archives["recordings"]) as archive:
        for name in sorted(archive.namelist()):
            if match := _RECORDING.fullmatch(name):
                split = "test" if int(match[2]) < _TEST_RECORDINGS else "train"
                load = functools.partial(read_zip_member, archive, name)
                yield Encoded(name, load, read_sound, label=match[1], split=split)
