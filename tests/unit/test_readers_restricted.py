"""VGGSound, read from the clips that a user has, and the counts of missing ones."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from fedssl.data.banks.build import build_bank
from fedssl.data.banks.decoding import decode_members
from fedssl.data.readers import vggsound
from fedssl.data.samples import BadMember, Sample
from fedssl.errors import UserError
from tests.unit.archives import MIRROR
from tests.unit.sounds import (
    CLIP,
    CLIPS,
    CSV,
    KINDS,
    annotated,
    encoded,
    filled,
    outcome,
    pitch,
    tone,
)

ENTRY: Mapping[str, Any] = {
    "classes": 2,
    "splits": {"train": None, "test": 2},
    "max_bad_share": 0.0,
}


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize(("container", "subtype", "rate"), KINDS)
def test_every_kind_of_sound_file_keeps_pitch_and_length(
    container: str, subtype: str, rate: int, channels: int, tmp_path: Path
) -> None:
    waveform = np.repeat(tone(440, rate=rate)[:, None], channels, axis=1)
    data = encoded(waveform, rate=rate, container=container, subtype=subtype)
    clips = filled(tmp_path, {f"{CLIPS[0]}.{container.lower()}": data})
    sample = next(decode_members(vggsound.read(annotated(tmp_path, clips))))
    assert isinstance(sample, Sample)
    assert abs(len(sample.data) - 16_000) <= 1
    assert pitch(sample.data) == pytest.approx(440, abs=1)
    assert abs(sample.data).max() / 32_768 == pytest.approx(0.5, abs=0.03)


def test_what_is_not_there_is_counted_and_listed_and_no_failure(tmp_path: Path) -> None:
    clips = filled(tmp_path, {f"{CLIPS[i]}.wav": CLIP for i in (0, 2)})
    archives = annotated(tmp_path, clips)
    facts = build_bank("vggsound", archives, tmp_path / "bank", entry={**ENTRY})
    assert facts["counts"] == {"train": 1, "test": 1}
    assert facts["bad"] == []
    assert facts["absent"] == {
        "counts": {"train": 1, "test": 1},
        "names": sorted([CLIPS[1], CLIPS[3]]),
    }


def test_a_bank_without_absent_members_does_not_mention_them(tmp_path: Path) -> None:
    archives = annotated(tmp_path, filled(tmp_path, {f"{clip}.wav": CLIP for clip in CLIPS}))
    assert "absent" not in build_bank("vggsound", archives, tmp_path / "bank", entry={**ENTRY})


@pytest.mark.parametrize(
    ("supplied", "change", "says"),
    [
        ({0: CLIP, 1: CLIP, 2: b"cut"}, {}, r"1 of 3 members .* cannot be read"),
        ({0: CLIP, 1: CLIP, 2: CLIP}, {"splits": {"train": None, "test": 3}}, "hold test 2"),
        ({0: CLIP, 1: CLIP, 2: CLIP}, {"splits": {"test": 2}}, "hold test 2, train 2"),
        ({0: CLIP, 1: CLIP}, {}, "no readable member in test"),
        ({0: CLIP, 3: CLIP}, {"classes": 3}, "hold 2 classes"),
    ],
    ids=["corrupt", "count", "undeclared split", "empty split", "class count"],
)
def test_absence_excuses_nothing_else(
    supplied: dict[int, bytes], change: dict[str, Any], says: str, tmp_path: Path
) -> None:
    clips = filled(tmp_path, {f"{CLIPS[i]}.wav": data for i, data in supplied.items()})
    with pytest.raises(UserError, match=says):
        build_bank(
            "vggsound", annotated(tmp_path, clips), tmp_path / "b", entry={**ENTRY, **change}
        )
    assert not (tmp_path / "b" / "bank.json").exists()


@pytest.mark.parametrize(("rate", "kept"), [(16_000, [1]), (8_000, [2])])
def test_empty_clips_are_bad_and_one_sample_is_a_clip(
    rate: int, kept: list[int], tmp_path: Path
) -> None:
    one, none = (encoded(np.ones(n) / 2, rate=rate) for n in (1, 0))
    files = {f"{CLIPS[0]}.wav": one, f"{CLIPS[1]}.wav": none, f"{CLIPS[2]}.wav": CLIP}
    archives = annotated(tmp_path, filled(tmp_path, files))
    entry = {**ENTRY, "max_bad_share": 0.5}
    facts = build_bank("vggsound", archives, tmp_path / "bank", entry=entry)
    assert facts["bad"] == [{"name": CLIPS[1], "reason": "it holds no samples"}]
    lengths = pd.read_parquet(tmp_path / "bank/index.parquet").set_index("name")["num_samples"]
    assert [lengths[CLIPS[0]]] == kept


def test_only_the_file_name_decides(tmp_path: Path) -> None:
    files = {
        f"a/{CLIPS[0]}.mp4.wav": CLIP,  # two suffixes
        f"a/{CLIPS[0]}.mp4": b"its video",  # beside its sound: not needed
        f"a/{CLIPS[1]}.mp4": b"only a video",
        f"b/{CLIPS[2]}.info.json": b"{}",
        f"b/x{CLIPS[2]}.wav": CLIP,
        f"b/{CLIPS[2]}é.wav": CLIP,
        f"c/.{CLIPS[2]}.wav": CLIP,  # hidden
        f".c/{CLIPS[2]}.wav": CLIP,
        "c/ZZZZZZZZZZZ_000001.wav": CLIP,  # not annotated
        f"d/{CLIPS[3]}.WAV": CLIP,
    }
    samples = list(decode_members(vggsound.read(annotated(tmp_path, filled(tmp_path, files)))))
    assert outcome(iter(samples)) == {
        CLIPS[0]: "Sample",
        CLIPS[1]: "BadMember",
        CLIPS[2]: "AbsentMember",
        CLIPS[3]: "Sample",
    }
    (video,) = (sample for sample in samples if isinstance(sample, BadMember))
    assert "extract the sound: ffmpeg" in video.reason


def test_a_clip_supplied_twice_counts_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    files = {f"a/{CLIPS[0]}.wav": encoded(tone(300)), f"b/{CLIPS[0]}.wav": encoded(tone(600))}
    samples = list(decode_members(vggsound.read(annotated(tmp_path, filled(tmp_path, files)))))
    (kept,) = (sample for sample in samples if isinstance(sample, Sample))
    assert pitch(kept.data) == 300
    assert "1 files are not used: no annotation names them, or they are copies" in caplog.text


def test_a_row_that_labels_a_clip_again_is_bad(tmp_path: Path) -> None:
    text = CSV + "AbCdEfGhIjK,7,wind rustling leaves,train\n"
    clips = filled(tmp_path, {f"{CLIPS[2]}.wav": CLIP})
    samples = list(decode_members(vggsound.read(annotated(tmp_path, clips, text))))
    (kept,) = (sample for sample in samples if isinstance(sample, Sample))
    assert (kept.label, kept.split) == ("bird chirping, tweeting", "test")
    (bad,) = (sample for sample in samples if isinstance(sample, BadMember))
    assert bad.reason == "line 5 of vggsound.csv labels the clip again"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("a,b,c\n", r"line 1 of .* has 3 fields"),
        (
            "AbCdEfGhIjK,1,x,train\nAbCdEfGhIjK,two,x,train\n",
            r"line 2 of .*'two' must be a whole number",
        ),
        ("AbCdEfGhIjK,-1,x,train\n", "'-1' must be a whole number"),
        ("AbCdEfGhIjK,1,x,dev\n", "the split 'dev'; it must be train or test"),
        ("short,1,x,test\n", "'short_000001'"),
        ("../../evil1,1,x,test\n", "it must have a YouTube id, a start and a label"),
        ("AbCdEfGhIjK,1,,test\n", "it must have a YouTube id, a start and a label"),
        ('AbCdEfGhIjK,1,"open,test\n', "is not a csv file"),
        ("\n", "names no clip"),
    ],
)
def test_a_row_that_is_not_right_is_named(text: str, says: str, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(text)
    with pytest.raises(UserError, match=says):
        vggsound.read_annotations(tmp_path / "a.csv")


def test_annotations_that_are_no_text_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UserError, match="is not a csv file in UTF-8"):
        vggsound.read_annotations(tmp_path / "a.csv")


def test_the_real_test_list_has_its_309_classes_and_15446_clips() -> None:
    path = MIRROR / "vggsound" / "test.csv"
    if not path.exists():
        pytest.skip(f"the mirror is not here: {path} does not exist")
    clips, repeated = vggsound.read_annotations(path)
    assert len(clips) == 15_446 and repeated == []
    assert {split for _, split in clips.values()} == {"test"}
    stated = pd.read_csv(path.with_name("stat.csv"), names=["label", "count", "group"])
    assert sorted({label for label, _ in clips.values()}) == sorted(stated["label"])
    assert len(stated) == 309
    assert sum(clip[0] in "-_" for clip in clips) > 100
    theirs = pd.read_csv(path, names=["file", "label"])
    assert {f"{clip}.mp4": label for clip, (label, _) in clips.items()} == dict(
        zip(theirs["file"], theirs["label"], strict=True)
    )


def test_clips_under_other_names_are_refused_with_the_right_one(tmp_path: Path) -> None:
    archives = annotated(tmp_path, filled(tmp_path, {"AbCdEfGhIjK_7.wav": CLIP}))
    with pytest.raises(UserError, match=rf"holds none of the 4 clips .* called {CLIPS[0]}\.wav"):
        list(decode_members(vggsound.read(archives)))


def test_reading_is_in_one_order(tmp_path: Path) -> None:
    clips = filled(tmp_path, {f"{i % 2}/{clip}.wav": CLIP for i, clip in enumerate(CLIPS[:3])})
    names = [sample.name for sample in decode_members(vggsound.read(annotated(tmp_path, clips)))]
    assert names == [CLIPS[0], CLIPS[2], CLIPS[1], CLIPS[3]]  # by folder; the absent one last
