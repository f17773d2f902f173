"""EPIC-SOUNDS: two CSV files that label segments of long videos, and the sound of the videos.

The sound of a video is an array in an HDF5 file or a file `<video_id>.wav`; see
`fedssl.data.readers.recordings`. The official test set has no labels, so `validation` is used for
testing, as is common.
"""

import functools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from fedssl.data.banks.bank import Modality
from fedssl.data.readers.csv_rows import read_rows, whole_number
from fedssl.data.readers.recordings import Recordings, decode_segment, open_recordings
from fedssl.data.samples import AbsentMember, BadMember, Encoded, Member
from fedssl.errors import UserError

MODALITY: Modality = "audio"

# `start_sample` and `stop_sample` count at this rate (Hz) from the start of the untrimmed video.
RATE = 24_000

_SPLITS = ("train", "validation")
# Names to show in an error message.
_SHOWN = 5
_COLUMNS = ("annotation_id", "video_id", "start_sample", "stop_sample", "class")


@dataclass(frozen=True)
class Segment:
    """A labelled segment of a video's sound; `start` and `stop` are in samples at 24 kHz."""

    name: str
    video: str
    start: int
    stop: int
    label: str


def read(archives: Mapping[str, Path]) -> Iterator[Member]:
    """Yield the `train` and `validation` segments, in the order of their CSV files.

    Raises:
        UserError: a file is damaged, or no annotated recording is there.
    """
    # The annotations also exist as pickles. Read the CSV files: a pickle can run code when it is
    # loaded, and these need an old version of pandas.
    seen: set[str] = set()
    with open_recordings(archives["audio"], rate=RATE) as recordings:
        _check_names(recordings, archives)
        for split in _SPLITS:
            for segment in read_segments(archives[f"{split}_annotations"]):
                if segment.name in seen:
                    reason = f"the {split} annotations name it a second time"
                    yield BadMember(segment.name, segment.label, None, reason)
                else:
                    seen.add(segment.name)
                    yield _member(segment, recordings, split=split)


def _check_names(recordings: Recordings, archives: Mapping[str, Path]) -> None:
    """Raise UserError if no recording has a name that the annotations use."""
    # Some missing recordings are normal. If all are missing, the file names are wrong, and a bank
    # without any sample would be a confusing way to say so.
    annotated = (archives[f"{split}_annotations"] for split in _SPLITS)
    wanted = {segment.video for path in annotated for segment in read_segments(path)}
    if wanted and not any(video in recordings for video in wanted):
        there = ", ".join(recordings.names()[:_SHOWN])
        raise UserError(
            f"{archives['audio']} has none of the {len(wanted)} recordings that the annotations "
            f"name, for example {min(wanted)}; it has {there}"
        )


def _member(segment: Segment, recordings: Recordings, *, split: str) -> Member:
    if segment.video not in recordings:
        return AbsentMember(segment.name, segment.label, split)
    read = functools.partial(recordings.segment, segment.video, segment.start, segment.stop)
    return Encoded(segment.name, read, decode_segment, label=segment.label, split=split)


def read_segments(path: Path) -> Iterator[Segment]:
    """Yield the segments of a CSV file.

    Raises:
        UserError: a column is missing or a cell is invalid; names the file and the line.
    """
    lines = read_rows(path)
    _, header = next(lines, (0, []))
    if missing := [name for name in _COLUMNS if name not in header]:
        raise UserError(
            f"{path} has no column {' and no '.join(missing)}; use the EPIC-SOUNDS annotations "
            "that have classes"
        )
    for line, row in lines:
        where = f"line {line} of {path}"
        if len(row) != len(header):
            raise UserError(f"{where} has {len(row)} fields, but the header has {len(header)}")
        cells = dict(zip(header, row, strict=True))
        name, video, start, stop, label = (cells[column] for column in _COLUMNS)
        if not label:
            raise UserError(f"{where} has no class; the column class must not be empty")
        number = functools.partial(whole_number, where=where)
        yield Segment(name, video, number(start), number(stop), label)
