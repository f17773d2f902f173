"""Segments of long recordings: equal from sound files and HDF5, and read without the rest."""

import tracemalloc
from collections.abc import Mapping
from pathlib import Path

import h5py
import numpy as np
import pytest
import soundfile

from fedssl.data.readers.recordings import Recordings, decode_segment, open_recordings
from fedssl.data.samples import UnreadableError
from fedssl.errors import UserError
from tests.unit.sounds import encoded, filled, pitch, three_tones, tone

RATE = 24_000


def cut(recordings: Recordings, name: str, start: int, stop: int) -> np.ndarray:
    return decode_segment(recordings.segment(name, start, stop)).data


class Slices:
    """A 1-d HDF5 array that may only be read in slices."""

    def __init__(self, samples: np.ndarray) -> None:
        self.samples, self.dtype, self.ndim = samples, samples.dtype, samples.ndim
        self.longest = 0

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, key: slice) -> np.ndarray:
        taken = self.samples[key.start : key.stop]
        self.longest = max(self.longest, len(taken))
        return taken


class File(dict[str, Slices]):
    """Stand-in for h5py.File with arrays in memory."""

    def __enter__(self) -> "File":
        return self

    def __exit__(self, *_: object) -> None:
        self.clear()


PCM = np.rint(32_767 * three_tones(RATE)).astype(np.int16)
SAMPLES = {
    "int16": PCM,
    "int32": PCM.astype(np.int32) << 16,
    "float32": (PCM / 32_768).astype(np.float32),
    "float64": PCM / 32_768,
}


@pytest.mark.parametrize("kind", SAMPLES)
def test_hdf5_gives_what_the_wav_gives_and_reads_no_more(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    array = Slices(SAMPLES[kind])
    monkeypatch.setattr(h5py, "File", lambda path, mode: File(P01_11=array))
    with open_recordings(
        filled(tmp_path / "a", {"P01_11.wav": encoded(PCM, rate=RATE)}), rate=RATE
    ) as a:
        expected = cut(a, "P01_11", 30_000, 42_000)
    with open_recordings(filled(tmp_path / "b", {"EPIC_audio.hdf5": b""}), rate=RATE) as b:
        assert "P01_11" in b and "P01_12" not in b
        found = cut(b, "P01_11", 30_000, 42_000)
    np.testing.assert_array_equal(found, expected)
    assert len(found) == 8_000
    assert array.longest == 12_000


def test_a_real_hdf5_file_is_read(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.hdf5", "w") as file:
        file.create_dataset("P01_11", data=SAMPLES["float32"])
        file.create_dataset("P01_12", data=np.zeros((2, 99), np.float32))
        file.create_group("P01_13")
    with open_recordings(tmp_path / "a.hdf5", rate=RATE) as recordings:
        assert round(pitch(cut(recordings, "P01_11", RATE, 2 * RATE))) == 600
        for name in ("P01_12", "P01_13"):
            with pytest.raises(UnreadableError, match="no 1-d array"):
                cut(recordings, name, 0, 9)


def test_a_damaged_hdf5_file_is_refused(tmp_path: Path) -> None:
    with (
        pytest.raises(UserError, match="is not a whole HDF5 file"),
        open_recordings(filled(tmp_path, {"a.h5": b"rubbish"}), rate=RATE),
    ):
        pytest.fail("it was opened")


@pytest.mark.parametrize("files", [{}, {"P01_11.MP4": b"video"}, {".P01_11.wav": b"hidden"}])
def test_a_folder_without_recordings_is_refused(files: Mapping[str, bytes], tmp_path: Path) -> None:
    (tmp_path / "clips").mkdir()
    with (
        pytest.raises(UserError, match=r"holds no \.wav and no \.hdf5"),
        open_recordings(filled(tmp_path, files), rate=RATE),
    ):
        pytest.fail("it was opened")


def test_recordings_are_known_by_the_first_part_of_their_name(tmp_path: Path) -> None:
    files = {"a/P01_11.MP4.wav": encoded(tone(300)), "b/P01_11.wav": encoded(tone(600))}
    with open_recordings(filled(tmp_path, files), rate=RATE) as recordings:
        assert pitch(cut(recordings, "P01_11", 0, RATE)) == 300  # the first of them


def test_stereo_recordings_are_averaged(tmp_path: Path) -> None:
    stereo = encoded(np.stack([tone(300), np.zeros(16_000)], axis=1))
    with open_recordings(filled(tmp_path, {"a.wav": stereo}), rate=16_000) as recordings:
        assert abs(cut(recordings, "a", 0, 16_000)).max() == pytest.approx(8_192, abs=9)


def test_a_long_recording_is_never_in_memory(tmp_path: Path) -> None:
    with soundfile.SoundFile(tmp_path / "a.wav", "w", RATE, 1, "PCM_16") as file:
        for _ in range(600):
            file.write(np.zeros(RATE, np.int16))
    with open_recordings(tmp_path, rate=RATE) as recordings:
        tracemalloc.start()
        for start in range(0, 600 * RATE, 60 * RATE):
            assert len(cut(recordings, "a", start, start + RATE)) == 16_000
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert peak < 2_000_000  # the recording has 28,800,000 bytes


def test_a_segment_across_the_end_of_a_cut_recording_is_refused(tmp_path: Path) -> None:
    sound = np.tile(tone(440, rate=16_000), 20)
    data = encoded(sound, container="MP3", subtype="MPEG_LAYER_III")
    files = {"a.mp3": data[: len(data) * 6 // 10]}
    with open_recordings(filled(tmp_path, files), rate=16_000) as recordings:
        waveform, rate = recordings.segment("a", 0, 16_000)
        assert (len(waveform), rate) == (16_000, 16_000)
        with pytest.raises(UnreadableError, match=r"ends at sample \d+ of 320000"):
            recordings.segment("a", 10 * 16_000, 15 * 16_000)
