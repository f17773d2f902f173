"""Levels of a bank's sound: counted as NumPy counts them, warned about, and kept by float banks."""

import logging
import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
import soundfile
import torch

from fedssl.data.banks.bank import Bank, open_bank, read_facts
from fedssl.data.banks.build import build_bank
from fedssl.data.made_up.archives import write_archives
from fedssl.data.plan import bank_contents, bank_state
from fedssl.data.readers import nsynth
from fedssl.data.readers.recordings import decode_segment
from fedssl.data.readers.sounds import CLIPPED, read_sound
from fedssl.data.samples import CANCELLED
from fedssl.errors import UserError
from fedssl.files import digest
from fedssl.resources import costs
from fedssl.settings import SoundType
from fedssl.typed import typed
from fedssl.views.audio import log_mel
from fedssl.views.settings import Audio
from tests.unit.federations import SETTINGS
from tests.unit.figures import shipped_plan
from tests.unit.own_files import FOLDER, bank, refused
from tests.unit.sounds import encoded
from tests.unit.test_placement import all_views
from tests.unit.test_readers_speech_12 import archive_of_tests, main_archive

RNG = np.random.default_rng(0)


def db(value: float) -> float:
    return float(20 * np.log10(value))


def speech(level: float, seconds: float = 0.5) -> np.ndarray:
    """Return noise whose loudness swells, as speech does, with an RMS of `level`."""
    time = np.arange(round(16_000 * seconds)) / 16_000
    wave = RNG.standard_normal(len(time)) * np.sin(2 * np.pi * 4 * time) ** 2
    return wave * level / np.sqrt(np.mean(wave**2))


def files(folder: Path, waves: list[np.ndarray], *, suffix: str = "wav", subtype: str) -> Path:
    for number, wave in enumerate(waves):
        path = folder / "ab"[number % 2] / f"{number:03}.{suffix}"
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, wave, 16_000, subtype=subtype)
    return folder


def clips(found: Bank) -> list[np.ndarray]:
    assert found.waveforms is not None and found.offsets is not None
    return [np.asarray(c) for c in np.split(found.waveforms, found.offsets[1:-1])]


@pytest.mark.parametrize("dtype", ["int16", "float32"])
def test_levels_are_those_of_the_samples_in_the_bank(dtype: str, tmp_path: Path) -> None:
    levels = [0.3, 0.002, 0.0003, 0.05, 0.0, *np.geomspace(1e-2, 0.2, 195)]
    waves = [speech(level, 0.1) for level in levels]
    folder = files(tmp_path / "s", waves, suffix="flac", subtype="PCM_24")
    found = bank(FOLDER, folder, tmp_path / "bank", dtype=dtype)
    scale = 32_768 if dtype == "int16" else 1
    kept = [clip.astype(np.float64) / scale for clip in clips(found)]
    heard = [wave for wave in kept if wave.any()]
    rms = sorted(db(np.sqrt(np.mean(wave**2))) for wave in heard)
    peaks = sorted(db(np.abs(wave).max()) for wave in heard)
    facts = read_facts(tmp_path / "bank")["sound"]
    assert facts["dtype"] == dtype and facts["clips"] == 200 and facts["silent"] == 1
    assert facts["quiet"] == sum(value < -60 for value in rms) == 1
    for key, values in (("rms_dbfs", rms), ("peak_dbfs", peaks)):
        for name, share in (("median", 50), ("quietest_1_percent", 1)):
            expected = np.percentile(values, share, method="inverted_cdf")
            assert facts[key][name] == pytest.approx(expected, abs=0.0501), (key, name)


def test_the_digest_of_a_bank_is_that_of_earlier_versions(tmp_path: Path) -> None:
    folder = files(tmp_path / "s", [speech(1e-4)] * 8, subtype="PCM_24")
    found = bank(FOLDER, folder, tmp_path / "bank")
    facts = read_facts(tmp_path / "bank")
    assert {"blocks", "notes", "sound"} < facts.keys()
    earlier = {k: v for k, v in facts.items() if k not in ("blocks", "digest", "notes", "sound")}
    assert digest(earlier) == found.digest


FAULTS = {
    "clipped": (
        [900 * np.sin(np.arange(8000))],
        "FLOAT",
        r"have more than 1 % of their samples at full scale",
    ),
    "quiet": ([speech(1e-4)], "PCM_24", r"are below -60 dBFS \(RMS\).* set dtype: float32"),
    "silent": ([np.zeros(999)], "PCM_16", r"hold zeros only"),
    "cancelled": (
        [np.stack([wave := speech(0.1), -0.99 * wave], axis=1)],
        "PCM_16",
        r"are 20 dB or more below their channels",
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("share", [0.02, 0.01])
def test_a_fault_of_more_than_one_percent_of_the_clips_is_warned_about(
    fault: str, share: float, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    bad, subtype, says = FAULTS[fault]
    folder = files(tmp_path / "s", [speech(0.1, 0.05)] * 100, subtype="PCM_16")
    for number in range(round(100 * share)):
        soundfile.write(folder / "a" / f"{2 * number:03}.wav", bad[0], 16_000, subtype=subtype)
    caplog.set_level(logging.INFO)
    bank(FOLDER, folder, tmp_path / "bank")
    assert read_facts(tmp_path / "bank")["sound"][fault] == round(100 * share)
    assert "100 clips of int16 sound: RMS -20.0 dBFS (median; quietest 1 %" in caplog.text
    warned = re.search(rf"2 of 100 clips \(2\.0 %, above 1 %\) {says}", caplog.text)
    assert bool(warned) == (share > 0.01) == ("above 1 %" in caplog.text)


def snr(kept: np.ndarray, wave: np.ndarray) -> float:
    return db(np.sqrt(np.mean(wave**2)) / np.sqrt(np.mean((kept - wave) ** 2)))


@pytest.mark.parametrize(("suffix", "subtype"), [("wav", "PCM_24"), ("flac", "PCM_24")])
def test_a_float_bank_keeps_quiet_sound_of_24_bits(
    suffix: str, subtype: str, tmp_path: Path
) -> None:
    waves = [speech(1e-4) for _ in range(8)]  # -80 dBFS
    folder = files(tmp_path / "s", waves, suffix=suffix, subtype=subtype)
    read = {path.stem: soundfile.read(path)[0] for path in folder.rglob(f"*.{suffix}")}
    for dtype, least, most in (("int16", 10, 25), ("float32", 120, np.inf)):
        found = bank(FOLDER, folder, tmp_path / dtype, dtype=dtype)
        scale = 32_768 if dtype == "int16" else 1
        for name, clip in zip(names(tmp_path / dtype), clips(found), strict=True):
            if dtype == "float32":
                assert clip.dtype == np.float32
                np.testing.assert_array_equal(clip, read[name].astype(np.float32))
                continue
            assert least < snr(clip / scale, read[name]) < most


def names(folder: Path) -> list[str]:
    return [Path(name).stem for name in pq.read_table(folder / "index.parquet")["name"].to_pylist()]


def test_a_float_bank_keeps_what_is_beyond_full_scale_and_says_so_nowhere(tmp_path: Path) -> None:
    wave = 900 * np.sin(np.arange(8000))
    found = read_sound(encoded(wave, subtype="FLOAT"), dtype="float32")
    np.testing.assert_array_equal(found.data, wave.astype(np.float32))
    assert found.notes == () and read_sound(encoded(wave, subtype="FLOAT")).notes == (CLIPPED,)


def test_segments_of_recordings_have_notes_too() -> None:
    wave = speech(0.1).astype(np.float32)
    found = decode_segment((np.stack([wave, -wave], axis=1), 16_000))
    assert found.notes == (CANCELLED,) and not found.data.any()
    assert decode_segment((wave[:, None], 16_000), dtype="float32").data.dtype == np.float32


def test_int16_banks_are_float_banks_that_were_rounded(tmp_path: Path) -> None:
    splits = {"train": 20, "test": 20}
    write_archives("fsdd", {"recordings": tmp_path / "f"}, classes=10, splits=splits, seed=0)
    archives = {
        "fsdd": {"recordings": tmp_path / "f"},
        "speech-commands-12": {
            "clips": main_archive(tmp_path / "m"),
            "test": archive_of_tests(tmp_path / "t"),
        },
    }
    unknown = {"train": None, "validation": None, "test": None}
    for dataset, splits_of in (("fsdd", splits), ("speech-commands-12", unknown)):
        entry: dict[str, Any] = {"classes": None, "splits": splits_of, "max_bad_share": 0.0}
        found = []
        for dtype in ("int16", "float32"):
            folder = tmp_path / dataset / dtype
            build_bank(dataset, archives[dataset], folder, entry=entry | {"dtype": dtype})
            found.append(open_bank(folder))
        one, two = (np.concatenate(clips(each)) for each in found)
        assert two.dtype == np.float32 and len(found[0]) == len(found[1]) >= 26
        np.testing.assert_array_equal(np.clip(np.rint(two * 32_768.0), -32_768, 32_767), one)
    note = nsynth._decode_note(encoded(speech(0.1, 4), subtype="PCM_24"), dtype="float32")
    assert note.data.dtype == np.float32


@pytest.mark.parametrize("place", ["disk", "memory", "device"])
def test_views_of_a_float_bank_are_those_of_an_int16_bank(
    place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FEDSSL_BANKS_READ_FROM", place)
    waves = [speech(0.1, seconds) for seconds in (0.6, 0.1, 0.5, 1.2, 0.6, 0.6, 0.3, 0.6)]
    folder = files(tmp_path / "s", waves, subtype="PCM_16")
    found = []
    for dtype in ("int16", "float32"):
        bank(FOLDER, folder, tmp_path / dtype, dtype=dtype)
        found.append(open_bank(tmp_path / dtype, device=torch.device("cpu")))
    for one, two in zip(*map(all_views, found), strict=True):
        assert torch.equal(one, two) and one.std() > 0


def test_a_quiet_clip_has_the_log_mel_image_of_its_file_in_a_float_bank_only() -> None:
    audio = typed(Audio, SETTINGS["audio"] | {"log_floor": 1e-9})  # type: ignore[operator]
    wave = speech(1e-4)
    data = encoded(wave, subtype="PCM_24")
    truth = log_mel(torch.from_numpy(wave.astype(np.float32))[None], audio=audio)
    dtypes: tuple[SoundType, ...] = ("int16", "float32")
    stored = [torch.from_numpy(read_sound(data, dtype=dtype).data)[None] for dtype in dtypes]
    sixteen, wide = (float((log_mel(each, audio=audio) - truth).abs().mean()) for each in stored)
    assert wide < 0.01 < 0.05 < sixteen


def test_the_type_of_a_bank_is_part_of_its_plan_only_if_it_is_not_int16() -> None:
    dataset = SimpleNamespace(dataset="dov")

    def planned(**changes: Any) -> tuple[Any, str, float]:
        plan = shipped_plan(datasets={"dov": changes})
        return (
            bank_contents(plan, dataset),
            bank_state(plan, dataset),
            costs.bank_mb(plan, "dov"),
        )

    plain, same, wide = planned(), planned(dtype="int16"), planned(dtype="float32")
    assert plain == same and "dtype" not in plain[0]
    assert wide[0] == plain[0] | {"dtype": "float32"} and wide[1] != plain[1]
    assert wide[2] == 2 * plain[2]


def test_images_have_no_type() -> None:
    plan = shipped_plan(datasets={"cifar10": {"dtype": "float32"}})
    with pytest.raises(UserError, match=r"datasets\.cifar10\.dtype is 'float32'; only a dataset"):
        bank_contents(plan, SimpleNamespace(dataset="cifar10"))
    assert "dtype is only valid for a dataset of kind audio" in refused(
        {"folder": ".", "modality": "image", "dtype": "float32"}
    )
