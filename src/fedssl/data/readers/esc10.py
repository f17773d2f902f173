"""ESC-10: one zip of 44.1 kHz Ogg clips, a folder per class, file names `{fold}-{clip}-{take}.ogg`.

Here fold 5 is test and folds 1 to 4 are train, one of the five official cross-validation turns.
"""

import functools
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from fedssl.data.banks.bank import Modality
from fedssl.data.banks.members import BadMember, Encoded
from fedssl.data.readers.archive_members import open_zip, read_zip_member
from fedssl.data.readers.decode import decode_audio

MODALITY: Modality = "audio"

_CLIP = re.compile(r"ESC-10-[^/]+/\d{3} - ([^/]+)/([1-5])-[^/]+\.ogg")
_TEST_FOLD = "5"


def read(archives: Mapping[str, Path]) -> Iterator[Encoded | BadMember]:
    """Yield the `train` and `test` clips in order of member name."""
    with open_zip(archives["clips"]) as archive:
        for name in sorted(archive.namelist()):
            if match := _CLIP.fullmatch(name):
                split = "test" if match[2] == _TEST_FOLD else "train"
                load = functools.partial(read_zip_member, archive, name)
                yield Encoded(name, load, decode_audio, label=match[1], split=split)
