"""NSynth and DoV on small archives in the official layouts, including odd and damaged ones."""

import itertools
import json
import tracemalloc
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

from fedssl.data.banks.build import build_bank
from fedssl.data.banks.decoding import decode_members
from fedssl.data.made_up.containers import write_tar_gz, write_zip
from fedssl.data.readers import dov, nsynth
from fedssl.data.samples import BadMember, Sample
from fedssl.errors import UserError
from tests.unit.sounds import encoded, pitch, tone

NOTE = encoded(tone(440, seconds=4))
ROOTS = {"train": "nsynth-train", "validation": "nsynth-valid", "test": "nsynth-test"}
# note_str -> family; neither the first word nor all but the last say the family
NOTES = {
    "synth_lead_synthetic_000-060-100": "synth_lead",
    "bass_electronic_018-022-075": "bass",
    "guitar_acoustic_010-066-100": "guitar",
}


def described(notes: Mapping[str, str]) -> bytes:
    return json.dumps(
        {
            note: {
                "note_str": note,
                "pitch": 60,
                "qualities": [0, 1],
                "instrument_family_str": kind,
            }
            for note, kind in notes.items()
        }
    ).encode()


def nsynth_archives(folder: Path, **train: bytes) -> dict[str, Path]:
    """Write the three archives; `train` replaces members of the first archive or adds some."""
    paths = {}
    for split, root in ROOTS.items():
        members = {f"{root}/examples.json": described(NOTES)}
        members |= {f"{root}/audio/{note}.wav": NOTE for note in NOTES}
        if split == "train":
            members |= {f"{root}/{name}": data for name, data in train.items()}
        paths[split] = folder / f"{root}.jsonwav.tar.gz"
        write_tar_gz(paths[split], [(name, data) for name, data in members.items() if data])
    return paths


def test_nsynth_takes_the_family_from_the_json(tmp_path: Path) -> None:
    samples = list(decode_members(nsynth.read(nsynth_archives(tmp_path))))
    assert {s.name: (s.label, s.split) for s in samples} == {
        f"{split}/{note}": (family, split) for split in ROOTS for note, family in NOTES.items()
    }
    assert all(isinstance(s, Sample) and len(s.data) == 64_000 for s in samples)


def test_nsynth_finds_the_json_behind_the_notes(tmp_path: Path) -> None:
    paths = nsynth_archives(tmp_path)
    members = [(f"./nsynth-train/audio/{note}.wav", NOTE) for note in NOTES]
    write_tar_gz(paths["train"], [*members, ("./nsynth-train/examples.json", described(NOTES))])
    assert {s.label for s in decode_members(nsynth.read(paths)) if s.split == "train"} == set(
        NOTES.values()
    )


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"RIFF", "not a sound file"),
        (encoded(np.zeros(0)), "it has 0 samples"),
        (encoded(tone(440, seconds=4)[:1]), "it has 1 samples"),
        (encoded(tone(440, seconds=4)[:-1]), "it has 63999 samples at 16 kHz, not 64000"),
        (encoded(tone(440, seconds=4), rate=8_000), "it has 128000 samples"),
    ],
)
def test_nsynth_notes_must_be_4_s_long(data: bytes, says: str, tmp_path: Path) -> None:
    note = "bass_electronic_018-022-075"
    samples = decode_members(nsynth.read(nsynth_archives(tmp_path, **{f"audio/{note}.wav": data})))
    (bad,) = (sample for sample in samples if isinstance(sample, BadMember))
    assert (bad.name, bad.label, bad.split) == (f"train/{note}", "bass", "train")
    assert says in bad.reason


def test_nsynth_reads_4_s_of_any_rate(tmp_path: Path) -> None:
    data = encoded(tone(440, seconds=4, rate=48_000), rate=48_000, subtype="PCM_24")
    note = "bass_electronic_018-022-075"
    samples = decode_members(nsynth.read(nsynth_archives(tmp_path, **{f"audio/{note}.wav": data})))
    sample = next(sample for sample in samples if sample.name == f"train/{note}")
    assert isinstance(sample, Sample) and pitch(sample.data) == 440


def test_nsynth_notes_without_json_or_wav_are_bad(tmp_path: Path) -> None:
    (_, wav), *_ = [(n, f"audio/{n}.wav") for n in NOTES]
    changes = {wav: b"", "audio/flute_made_up.wav": NOTE}
    samples = list(decode_members(nsynth.read(nsynth_archives(tmp_path, **changes))))
    bad = {sample.name: sample for sample in samples if isinstance(sample, BadMember)}
    assert bad["nsynth-train/audio/flute_made_up.wav"].label is None
    assert bad[f"train/{next(iter(NOTES))}"].label == "synth_lead"
    assert len(bad) == 2 and len(samples) == 10


@pytest.mark.parametrize(
    ("json_file", "says"),
    [
        (b"", r"has no nsynth-train/examples\.json"),
        (b"{", "is not JSON"),
        (b"\xff", "is not JSON"),
        (b"[]", "must give instrument_family_str for every note"),
        (b'{"a": {"pitch": 1}}', "must give instrument_family_str for every note"),
    ],
)
def test_nsynth_needs_its_json(json_file: bytes, says: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=says):
        list(decode_members(nsynth.read(nsynth_archives(tmp_path, **{"examples.json": json_file}))))


def test_an_extra_class_is_refused(tmp_path: Path) -> None:
    extra = {"kazoo_acoustic_000-060-100": "kazoo", **NOTES}
    archives = nsynth_archives(
        tmp_path,
        **{"examples.json": described(extra), "audio/kazoo_acoustic_000-060-100.wav": NOTE},
    )
    entry = {
        "classes": 3,
        "splits": {"train": 4, "validation": 3, "test": 3},
        "max_bad_share": 0.0,
    }
    with pytest.raises(UserError, match=r"hold 4 classes, but .* declares 3"):
        build_bank("nsynth", archives, tmp_path / "bank", entry=entry)


def test_nsynth_keeps_of_the_json_only_families() -> None:
    notes = {
        f"bass_{i:06d}": {"instrument_family_str": "bass", "x": "y" * 500} for i in range(4000)
    }
    data = json.dumps(notes).encode()
    tracemalloc.start()
    assert len(nsynth._parse(data, "here")) == 4000
    kept, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert kept < 1_000_000  # 250 bytes a note; whole descriptions are 3 MB
    assert peak < len(data) + 2_000_000


def dov_zip(folder: Path, subjects: range, **extra: bytes) -> dict[str, Path]:
    clip = encoded(tone(440, seconds=0.1, rate=48_000), rate=48_000)
    loud = encoded(np.ones(4_800) / 2, rate=48_000)
    members = {}
    for subject, angle, channel in itertools.product(subjects, (0, 45, 180), range(6)):
        place = f"s{subject}/s{subject}_upstairs_nowall_trial1/A0_1_0"
        members[f"{place}/recording0_{angle}_{channel}.wav"] = clip if channel == 1 else loud
    write_zip(folder / "a.zip", (members | extra).items())
    return {"recordings": folder / "a.zip"}


def test_dov_tests_on_the_last_two_subjects_by_number(tmp_path: Path) -> None:
    samples = list(decode_members(dov.read(dov_zip(tmp_path, range(1, 11)))))
    by_split = {
        split: {s.name.split("/")[0] for s in samples if s.split == split}
        for split in ("train", "test")
    }
    assert by_split == {"train": {f"s{i}" for i in range(1, 9)}, "test": {"s9", "s10"}}
    assert {s.label for s in samples} == {"0", "45", "180"}
    assert len(samples) == 30  # one channel of six
    for sample in samples:
        assert isinstance(sample, Sample) and len(sample.data) == 1_600
        assert sample.data.min() < 0  # channel 1, not one of the others


def test_dov_may_lie_in_a_folder_and_mac_leavings_are_no_recordings(tmp_path: Path) -> None:
    paths = dov_zip(
        tmp_path,
        range(1, 5),
        **{
            "__MACOSX/s9/s9_upstairs_wall_trial1/A0_1_0/recording0_0_1.wav": b"",
            "subjectrecording/s7/s7_upstairs_wall_trial1/X0_1_0/recording1_315_1.wav": b"cut",
            "s1/s2_upstairs_wall_trial1/A0_1_0/recording0_0_1.wav": b"another subject's",
        },
    )
    samples = list(decode_members(dov.read(paths)))
    (bad,) = (sample for sample in samples if isinstance(sample, BadMember))
    assert (bad.name.split("/")[0], bad.label, bad.split) == ("s7", "315", "test")
    assert len(samples) == 13


def test_dov_recordings_in_the_archive_twice_are_bad(tmp_path: Path) -> None:
    name = "s1/s1_upstairs_nowall_trial1/A0_1_0/recording0_0_1.wav"
    clip = encoded(tone(440, seconds=0.1))
    paths = dov_zip(tmp_path, range(1, 4), **{f"z1/{name}": clip, f"z2/{name}": clip})
    bad = [sample for sample in decode_members(dov.read(paths)) if isinstance(sample, BadMember)]
    assert [(b.name, b.reason) for b in bad] == [
        (f"z1/{name}", "the archive has it twice"),
        (f"z2/{name}", "the archive has it twice"),
    ]


@pytest.mark.parametrize("subjects", [range(0), range(1, 3)])
def test_dov_needs_subjects_for_both_splits(subjects: range, tmp_path: Path) -> None:
    says = (
        rf"recordings of {len(subjects)} subjects, but .* "
        "a member must be named like s1/s1_upstairs"
    )
    with pytest.raises(UserError, match=says):
        list(decode_members(dov.read(dov_zip(tmp_path, subjects))))
