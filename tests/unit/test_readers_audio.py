"""Audio readers on archives in the official layout, including odd and damaged ones."""

from pathlib import Path

import numpy as np
import pytest

from fedssl.data.banks.decoding import decode_members
from fedssl.data.made_up.media import wav
from fedssl.data.readers import esc10, fsdd, speech_commands
from fedssl.data.samples import Sample
from fedssl.errors import UserError
from tests.unit.archives import tarred, zipped

CLIP = wav(np.arange(800, dtype=np.int16), rate=16_000)


def test_fsdd_tests_on_recordings_0_to_4_and_doubles_the_rate(tmp_path: Path) -> None:
    clip = wav(np.zeros(400, np.int16), rate=8_000)
    root = "free-spoken-digit-dataset-abc/recordings"
    names = [f"{root}/7_theo_{index}.wav" for index in (0, 4, 5, 49)]
    members = dict.fromkeys([*names, f"{root}/readme.txt", "x/7_theo_3.wav"], clip)
    samples = list(decode_members(fsdd.read({"recordings": zipped(tmp_path, members)})))
    assert {s.name: s.split for s in samples} == dict(
        zip(names, ["test", "test", "train", "train"], strict=True)
    )
    assert all(isinstance(s, Sample) and len(s.data) == 800 for s in samples)
    assert {s.label for s in samples} == {"7"}


def test_esc10_tests_on_fold_5(tmp_path: Path) -> None:
    root = "ESC-10-master"
    names = [f"{root}/002 - Rain/{fold}-17367-A.ogg" for fold in range(1, 6)]
    samples = list(
        decode_members(esc10.read({"clips": zipped(tmp_path, dict.fromkeys(names, CLIP))}))
    )
    assert [s.split for s in samples] == ["train"] * 4 + ["test"]
    assert {s.label for s in samples} == {"Rain"}


LISTS = {
    "./validation_list.txt": b"yes/aa_nohash_1.wav\nno/bb_nohash_0.wav",
    "./testing_list.txt": b"yes/cc_nohash_0.wav\n",
}
CLIPS = dict.fromkeys(
    [
        "./_background_noise_/pink_noise.wav",
        "./no/bb_nohash_0.wav",
        "./yes/aa_nohash_0.wav",
        "./yes/aa_nohash_1.wav",
        "./yes/cc_nohash_0.wav",
    ],
    CLIP,
)


@pytest.mark.parametrize("members", [LISTS | CLIPS, CLIPS | LISTS], ids=["first", "last"])
def test_speech_commands_splits_by_its_lists_wherever_they_stand(
    members: dict[str, bytes], tmp_path: Path
) -> None:
    samples = list(decode_members(speech_commands.read({"clips": tarred(tmp_path, members)})))
    assert {s.name: (s.label, s.split) for s in samples} == {
        "no/bb_nohash_0.wav": ("no", "validation"),
        "yes/aa_nohash_0.wav": ("yes", "train"),
        "yes/aa_nohash_1.wav": ("yes", "validation"),
        "yes/cc_nohash_0.wav": ("yes", "test"),
    }
    assert isinstance(samples[0], Sample)
    np.testing.assert_array_equal(samples[0].data, np.arange(800))


def test_speech_commands_needs_both_lists(tmp_path: Path) -> None:
    members = {name: data for name, data in (LISTS | CLIPS).items() if "testing" not in name}
    with pytest.raises(UserError, match=r"has no testing_list\.txt"):
        list(decode_members(speech_commands.read({"clips": tarred(tmp_path, members)})))


@pytest.mark.parametrize("share", [0.3, 0.9])
def test_a_truncated_tar_is_refused(share: float, tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(-9999, 9999, 16_000).astype(np.int16)
    clips = {f"./yes/{i:02x}_nohash_0.wav": wav(noise, rate=16_000) for i in range(8)}
    path = tarred(tmp_path, LISTS | clips)
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    with pytest.raises(UserError, match=r"not a whole tar\.gz archive.*acquire it again"):
        list(decode_members(speech_commands.read({"clips": path})))
