"""ESC-10: one zip of 44.1 kHz Ogg clips with one folder per class.

Files are named `{fold}-{clip}-{take}.ogg`. Clips last 3.64 to 7.24 s, not exactly 5 s.
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

_CLIP = re.compile(r"ESC-10-[^/]+/\d{3} - ([^/]+)/([1-5])-[^/]+\.ogg")
# The dataset has five folds for cross-validation and no single split. This is one of the five runs:
# fold 5 is test, folds 1 to 4 are train.
_TEST_FOLD = "5"


def read(archives: Mapping[str, Path]) -> Iterator[Encoded | BadMember]:
    """Yield the `train` and `test` clips, sorted by name."""
    with open_zip(archives["clips"]) as archive:
        for name in sorted(archive.namelist()):
            if match := _CLIP.fullmatch(name):
                split = "test" if match[2] == _TEST_FOLD else "train"
                load = functools.partial(read_zip_member, archive, name)
                yield Encoded(name, load, read_sound, label=match[1], split=split)
