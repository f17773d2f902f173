"""VGGSound: a CSV file that labels 10 s of each video, and the clips that the user has.

Rows of the CSV file are `id,start,label,split` without a header (the official vggsound.csv) or
`<id>_<start>.mp4,label` (the official test.csv). A clip is recognised by its file name,
`<id>_<start in six digits>` with an audio suffix, in any folder or archive; see
`fedssl.data.fetch.manual_files`.

Many videos have left YouTube since 2020. A labelled clip that the user does not have is absent: it
is counted, and is not an error.
"""

import logging
import re
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath

from fedssl.data.banks.bank import Modality
from fedssl.data.fetch.manual_files import SOUNDS, VIDEOS, manual_members
from fedssl.data.readers.csv_rows import read_rows, whole_number
from fedssl.data.readers.sounds import read_sound
from fedssl.data.samples import AbsentMember, BadMember, Encoded, Member
from fedssl.errors import UserError

MODALITY: Modality = "audio"

_LOG = logging.getLogger(__name__)

# Several suffixes may follow, as in .mp4.wav; the last one is the format. YouTube ids can contain
# "-" and "_", also at the start, so the start time is found by its six digits.
_CLIP = re.compile(r"([A-Za-z0-9_-]{11}_\d{6})(?:\.\w+)*(\.\w+)", re.ASCII)
_SPLITS = ("train", "test")
_ONLY_VIDEO = (
    "only its video is there; extract the sound: ffmpeg -i <clip>.mp4 -acodec pcm_s16le -ac 1 "
    "-ar 16000 <clip>.wav"
)


def read(archives: Mapping[str, Path]) -> Iterator[Member]:
    """Yield the clips that the user has, in order of file and member name, then the absent ones.

    Raises:
        UserError: the annotations are invalid, or none of the clips is there.
    """
    annotated, repeated = read_annotations(archives["annotations"])
    yield from repeated
    videos: set[str] = set()
    waiting, spare = dict(annotated), 0
    for name, load in manual_members(archives["clips"]):
        match = _CLIP.fullmatch(PurePosixPath(name).name)
        clip, suffix = (match[1], match[2].lower()) if match else ("", "")
        if suffix in VIDEOS and clip in annotated:
            videos.add(clip)
        # `pop`: the first file of a clip counts, others are spare.
        elif suffix in SOUNDS and clip in waiting:
            label, split = waiting.pop(clip)
            yield Encoded(clip, load, read_sound, label=label, split=split)
        elif suffix in SOUNDS:
            spare += 1
    if spare:
        _LOG.warning("%d files are not used: no annotation names them, or they are copies", spare)
    if len(waiting) == len(annotated) and not videos & set(waiting):
        raise UserError(
            f"{archives['clips']} holds none of the {len(annotated)} clips that "
            f"{archives['annotations']} names; a clip must be called {next(iter(waiting))}.wav"
        )
    for clip, (label, split) in waiting.items():
        if clip in videos:
            yield BadMember(clip, label, split, _ONLY_VIDEO)
        else:
            yield AbsentMember(clip, label, split)


def read_annotations(path: Path) -> tuple[dict[str, tuple[str, str]], list[BadMember]]:
    """Return clip -> (label, split) of a CSV file, and a BadMember for every repeated clip.

    Raises:
        UserError: a row is invalid, or the file names no clip.
    """
    clips: dict[str, tuple[str, str]] = {}
    repeated = []
    for line, row in read_rows(path):
        clip, label, split = _clip(row, f"line {line} of {path}")
        if clip in clips:
            reason = f"line {line} of {path.name} labels the clip again"
            repeated.append(BadMember(clip, label, None, reason))
        else:
            clips[clip] = (label, split)
    if not clips:
        raise UserError(f"{path} names no clip; it must be VGGSound's csv file")
    return clips, repeated


def _clip(row: list[str], where: str) -> tuple[str, str, str]:
    """Return (`<id>_<start>`, label, split) of a row in either layout."""
    if len(row) == 4:
        clip, label, split = f"{row[0]}_{whole_number(row[1], where):06d}", row[2], row[3]
    elif len(row) == 2:
        clip, label, split = row[0].removesuffix(".mp4"), row[1], "test"
    else:
        raise UserError(f"{where} has {len(row)} fields; it must have id,start,label,split")
    if split not in _SPLITS:
        raise UserError(f"{where} has the split {split!r}; it must be train or test")
    if not _CLIP.fullmatch(f"{clip}.wav") or not label:
        raise UserError(
            f"{where} has {clip!r} and {label!r}; it must have a YouTube id, a start and a label"
        )
    return clip, label, split
