"""DoV (Direction of Voice): one zip of 48 kHz recordings by 10 people; 8 classes.

The class is the angle of the voice. `s3/s3_upstairs_wall_trial1/A0_1_0/recording0_45_2.wav` names
the subject (3), room, placement and session; then the polar position, distance and polar angle;
then the utterance (0), the angle of the voice (45) and the channel (2).
"""

import functools
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from fedssl.data.banks.bank import Modality
from fedssl.data.readers.archive_members import open_zip, read_zip_member
from fedssl.data.readers.sounds import read_sound
from fedssl.data.samples import BadMember, Encoded
from fedssl.errors import UserError

MODALITY: Modality = "audio"

# The first raw microphone. Channel 0 is processed for speech recognition and 5 is playback. Reading
# one channel keeps the channels of a recording, which are nearly equal, out of two splits.
_CHANNEL = "1"
# paper: split not stated, and the dataset has no official one; here: the last two subjects are
# test, so that no voice is in both splits.
_TEST_SUBJECTS = 2
_LAYOUT = "s1/s1_upstairs_wall_trial1/A0_1_0/recording0_45_1.wav"
_RECORDING = re.compile(
    r"(?:(?!__MACOSX/).*/)?"
    r"(s(?P<subject>\d+)/s(?P=subject)_[^/]+/[^/]+/recording\d+_(?P<angle>-?\d+))"
    rf"_{_CHANNEL}\.wav"
)


def read(archives: Mapping[str, Path]) -> Iterator[Encoded | BadMember]:
    """Yield the `train` and `test` recordings, sorted by name.

    Raises:
        UserError: the archive is damaged or has too few subjects.
    """
    path = archives["recordings"]
    with open_zip(path) as archive:
        names = sorted(archive.namelist())
        found = [match for match in map(_RECORDING.fullmatch, names) if match]
        subjects = sorted({int(match["subject"]) for match in found})
        if len(subjects) <= _TEST_SUBJECTS:
            raise UserError(
                f"{path} has recordings of {len(subjects)} subjects, but at least "
                f"{_TEST_SUBJECTS + 1} are needed; a member must be named like {_LAYOUT}"
            )
        # Subjects were sorted as numbers: as text, 10 would come before 2.
        test = subjects[-_TEST_SUBJECTS:]
        seen: set[str] = set()
        for match in found:
            split = "test" if int(match["subject"]) in test else "train"
            if match[1] in seen:
                yield BadMember(match[0], match["angle"], split, "the archive has it twice")
                continue
            seen.add(match[1])
            load = functools.partial(read_zip_member, archive, match[0])
            yield Encoded(match[1], load, read_sound, label=match["angle"], split=split)
