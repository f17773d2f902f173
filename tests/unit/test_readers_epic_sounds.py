"""EPIC-SOUNDS: find the recording segment of each annotation row."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pandas as pd
import pytest

from fedssl.data.banks.bank import open_bank
from fedssl.data.banks.build import build_bank
from fedssl.data.banks.decoding import decode_members
from fedssl.data.readers import epic_sounds
from fedssl.data.readers.epic_sounds import read_segments
from fedssl.data.samples import AbsentMember, BadMember, Member, Sample
from fedssl.errors import UserError
from tests.unit.archives import MIRROR
from tests.unit.sounds import encoded, pitch, three_tones

COLUMNS = "annotation_id,participant_id,video_id,start_timestamp,stop_timestamp,start_sample"
COLUMNS += ",stop_sample,description,class,class_id"
RATE = 24_000


def row(name: str, start: Any, stop: Any, label: str = "human", *, video: str = "P01_11") -> str:
    return f'{name},P01,{video},0,0,{start},{stop},"a, b","{label}",1'


def archives(folder: Path, train: list[str], validation: list[str]) -> dict[str, Path]:
    """Write the annotations; the recordings are the files in the folder `audio`."""
    (folder / "audio").mkdir(exist_ok=True)
    for split, lines in (("train", train), ("validation", validation)):
        (folder / f"{split}.csv").write_text("\n".join([COLUMNS, *lines]))
    paths = {f"{split}_annotations": folder / f"{split}.csv" for split in ("train", "validation")}
    return {**paths, "audio": folder / "audio"}


def record(folder: Path, waveform: np.ndarray, *, rate: int = RATE, name: str = "P01_11") -> Path:
    (folder / "audio").mkdir(exist_ok=True)
    path = folder / "audio" / f"{name}.wav"
    path.write_bytes(encoded(waveform, rate=rate))
    return path


def waveforms(samples: Iterator[Member]) -> list[np.ndarray]:
    return [sample.data for sample in samples if isinstance(sample, Sample)]


@pytest.mark.parametrize("rate", [8_000, 24_000, 44_100, 48_000])
def test_a_segment_is_where_the_samples_at_24_khz_say(rate: int, tmp_path: Path) -> None:
    record(tmp_path, three_tones(rate), rate=rate)
    train = [row("a", 0, RATE), row("b", RATE, 2 * RATE, "metal / wood collision")]
    paths = archives(tmp_path, train, [row("c", 2 * RATE, 2 * RATE + RATE // 2)])
    samples = [
        sample for sample in decode_members(epic_sounds.read(paths)) if isinstance(sample, Sample)
    ]
    assert [(s.name, s.label, s.split) for s in samples] == [
        ("a", "human", "train"),
        ("b", "metal / wood collision", "train"),
        ("c", "human", "validation"),
    ]
    assert [len(s.data) for s in samples] == pytest.approx([16_000, 16_000, 8_000], abs=1)
    assert [round(pitch(s.data)) for s in samples] == [300, 600, 900]


@pytest.mark.parametrize(
    ("start", "stop", "says"),
    [
        (RATE, RATE, "it spans no sample"),
        (RATE, RATE - 1, "it spans no sample"),
        (3 * RATE, 3 * RATE + 9, "of a recording of 72000 at 24000 Hz"),
        (2 * RATE, 4 * RATE + 1, "of a recording of 72000 at 24000 Hz"),
    ],
)
def test_a_segment_outside_its_recording_is_bad(
    start: int, stop: int, says: str, tmp_path: Path
) -> None:
    record(tmp_path, three_tones(RATE))
    (bad,) = decode_members(epic_sounds.read(archives(tmp_path, [row("a", start, stop)], [])))
    assert isinstance(bad, BadMember) and says in bad.reason
    assert (bad.label, bad.split) == ("human", "train")


def test_a_sound_track_may_end_a_second_before_its_video(tmp_path: Path) -> None:
    record(tmp_path, three_tones(RATE))
    (waveform,) = waveforms(
        decode_members(epic_sounds.read(archives(tmp_path, [row("a", 48_000, 96_000)], [])))
    )
    assert len(waveform) == 16_000  # what there is of it


def test_one_sample_is_a_segment(tmp_path: Path) -> None:
    record(tmp_path, three_tones(RATE))
    (sample,) = decode_members(epic_sounds.read(archives(tmp_path, [row("a", 300, 301)], [])))
    assert isinstance(sample, Sample) and len(sample.data) == 1


def test_damaged_and_missing_recordings_are_told_apart(tmp_path: Path) -> None:
    record(tmp_path, three_tones(RATE))
    (tmp_path / "audio/P01_12.wav").write_bytes(b"RIFF")
    train = [row("a", 0, 9_000), row("b", 0, 9, video="P01_12"), row("c", 0, 9, video="P01_13")]
    samples = list(decode_members(epic_sounds.read(archives(tmp_path, train, []))))
    assert [type(sample) for sample in samples] == [Sample, BadMember, AbsentMember]


def test_segments_of_videos_that_are_not_there_fail_no_bank(tmp_path: Path) -> None:
    record(tmp_path, three_tones(RATE))
    train = [row("a", 0, 9_000, "x"), row("b", 0, 9_000, "y"), row("c", 0, 9, "x", video="P09_01")]
    paths = archives(tmp_path, train, [row("d", 0, 9, "x"), row("e", 0, 9, "x", video="P09_02")])
    entry = {"classes": 2, "splits": {"train": None, "validation": 2}, "max_bad_share": 0.0}
    facts = build_bank("epic-sounds", paths, tmp_path / "bank", entry=entry)
    assert facts["counts"] == {"train": 2, "validation": 1}
    assert facts["absent"] == {"counts": {"train": 1, "validation": 1}, "names": ["c", "e"]}


def test_class_ids_do_not_depend_on_the_videos_that_a_user_has(tmp_path: Path) -> None:
    record(tmp_path, three_tones(RATE), name="P01_12")
    train = [row("a", 0, 9, "x"), row("b", 0, 9, "y", video="P01_12")]
    paths = archives(tmp_path, train, [row("c", 9, 99, "y", video="P01_12")])
    entry = {"classes": 2, "splits": {"train": None, "validation": 1}, "max_bad_share": 0.0}
    build_bank("epic-sounds", paths, tmp_path / "part", entry=entry)
    record(tmp_path, three_tones(RATE))
    build_bank("epic-sounds", paths, tmp_path / "whole", entry=entry)
    part, whole = open_bank(tmp_path / "part"), open_bank(tmp_path / "whole")
    assert part.classes == whole.classes == ("x", "y")
    assert part.labels.tolist() == [1, 1] and whole.labels.tolist() == [0, 1, 1]


def test_recordings_under_other_names_are_told_with_those_there(tmp_path: Path) -> None:
    paths = archives(tmp_path, [row("a", 0, 9)], [row("b", 0, 9)])
    with h5py.File(tmp_path / "audio/all.hdf5", "w") as file:
        file.create_dataset("audio/P01_11", data=three_tones(RATE))
    with pytest.raises(UserError, match=r"none of the 1 recordings .* P01_11; it has audio$"):
        list(epic_sounds.read(paths))


def test_a_name_annotated_twice_is_bad_and_in_no_second_split(tmp_path: Path) -> None:
    record(tmp_path, three_tones(RATE))
    first, second = decode_members(
        epic_sounds.read(archives(tmp_path, [row("a", 0, 99)], [row("a", 0, 99)]))
    )
    assert isinstance(first, Sample) and first.split == "train"
    assert isinstance(second, BadMember) and second.split is None


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("annotation_id,video_id,start_sample,stop_sample\n", "has no column class"),
        (f"{COLUMNS}\n{row('a', '1.5', 9)}\n", r"line 2 of .*'1\.5' must be a whole number"),
        (f"{COLUMNS}\n{row('a', 1, -9)}\n", "'-9' must be a whole number"),
        (f"{COLUMNS}\n{row('a', 1, 9)},x\n", "line 2 of .* has 11 fields, but the header has 10"),
        (f"{COLUMNS}\n{row('a', 1, 9, '')}\n", "line 2 of .* has no class"),
        ("", "has no column annotation_id and no video_id"),
    ],
)
def test_annotations_that_are_not_right_are_refused(text: str, says: str, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(text)
    with pytest.raises(UserError, match=says):
        list(read_segments(tmp_path / "a.csv"))


def test_the_real_validation_list_has_its_44_classes_and_8035_segments() -> None:
    path = MIRROR / "epic-sounds" / "EPIC_Sounds_validation.csv"
    if not path.exists():
        pytest.skip(f"the mirror is not here: {path} does not exist")
    segments = list(read_segments(path))
    theirs = pd.read_csv(path)
    assert len(segments) == len({segment.name for segment in segments}) == 8_035
    assert [s.label for s in segments] == theirs["class"].tolist()
    assert [(s.start, s.stop) for s in segments] == list(
        zip(theirs["start_sample"], theirs["stop_sample"], strict=True)
    )
    assert len({s.label for s in segments}) == 44 == theirs["class_id"].nunique()
    assert len({s.video for s in segments}) == 137
