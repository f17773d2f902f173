"""DoV (Direction of Voice): one zip of 48 kHz recordings by 10 people, class = one of 8 angles.

`s3/s3_upstairs_wall_trial1/A0_1_0/recording0_45_2.wav` is subject 3, room, placement and session,
then polar position, distance and polar angle, then utterance, angle of the voice and channel. Of
the six channels only 1 is read, the first raw microphone (0 is processed, 5 is playback).

There is no official split; here the last two subjects are test, so nobody is in both.
"""

import functools
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from fedssl.data.banks.bank import Modality
from fedssl.data.banks.members import BadMember, Encoded
from fedssl.data.readers.archive_members import open_zip, read_zip_member
from fedssl.data.readers.decode import decode_audio
from fedssl.errors import UserError

MODALITY: Modality = "audio"

_CHANNEL = "1"
_TEST_SUBJECTS = 2
_LAYOUT = "s1/s1_upstairs_wall_trial1/A0_1_0/recording0_45_1.wav"
_RECORDING = re.compile(
    r"(?:(?!__MACOSX/).*/)?"
    r"(s(?P<subject>\d+)/s(?P=subject)_[^/]+/[^/]+/recording\d+_(?P<angle>-?\d+))"
    rf"_{_CHANNEL}\.wav"
)


def read(archives: Mapping[str, Path]) -> Iterator[Encoded | BadMember]:
    """Yield the `train` and `test` recordings in order of member name."""
    path = archives["recordings"]
    with open_zip(path) as archive:
        names = sorted(archive.namelist())
        found = [match for match in map(_RECORDING.fullmatch, names) if match]
        subjects = sorted({int(match["subject"]) for match in found})
        if len(subjects) <= _TEST_SUBJECTS:
            raise UserError(
                f"{path} has recordings of {len(subjects)} subjects and at least "
                f"{_TEST_SUBJECTS + 1} are needed; a member is called {_LAYOUT}"
            )
        test = subjects[-_TEST_SUBJECTS:]
        seen: set[str] = set()
        for match in found:
            split = "test" if int(match["subject"]) in test else "train"
            if match[1] in seen:
                yield BadMember(match[0], match["angle"], split, "the archive has it twice")
                continue
            seen.add(match[1])
            load = functools.partial(read_zip_member, archive, match[0])
            yield Encoded(match[1], load, decode_audio, label=match["angle"], split=split)
