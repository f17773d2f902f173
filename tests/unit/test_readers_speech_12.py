"""Speech Commands: the official lists, torchaudio's subsets, and the 12-class archive."""

import tarfile
from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from torchaudio.datasets import SPEECHCOMMANDS

from fedssl.data.banks.bank import open_bank
from fedssl.data.banks.build import build_bank
from fedssl.data.readers.speech_commands_12 import COMMANDS, SILENCE, UNKNOWN
from tests.unit.archives import DATASETS, SMALL, synthetic_archives, tarred
from tests.unit.sounds import encoded, tone

WORDS = {"yes": "yes", "go": "go", "bed": UNKNOWN, "visual": UNKNOWN}
TEST = {
    **{f"./{word}/0a_nohash_0.wav": word for word in COMMANDS},
    "./_unknown_/bed_0a_nohash_0.wav.wav": UNKNOWN,
    "./_unknown_/zero_0b_nohash_1.wav": UNKNOWN,
    "./_silence_/17.wav": SILENCE,
}
NOISES = {"pink_noise": 2.2, "running_tap": 1.6}


def clip(hz: float = 500, *, seconds: float = 0.1) -> bytes:
    return encoded(tone(hz, seconds=seconds))


def main_archive(folder: Path) -> Path:
    lists = {"validation_list.txt": 1, "testing_list.txt": 2}
    members = {f"./{word}/0{i}_nohash_0.wav": clip() for word in WORDS for i in range(3)}
    for name, speaker in lists.items():
        members[f"./{name}"] = "\n".join(f"{w}/0{speaker}_nohash_0.wav" for w in WORDS).encode()
    for name, seconds in NOISES.items():
        members[f"./_background_noise_/{name}.wav"] = clip(900, seconds=seconds)
    folder.mkdir()
    return tarred(folder, {**members, "./_background_noise_/README.md": b"noise"})


def archive_of_tests(folder: Path) -> Path:
    folder.mkdir()
    return tarred(folder, {**dict.fromkeys(TEST, clip()), "./LICENSE": b"CC BY 4.0"})


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> pd.DataFrame:
    folder = tmp_path_factory.mktemp("twelve")
    archives = {"clips": main_archive(folder / "m"), "test": archive_of_tests(folder / "t")}
    splits = {"train": None, "validation": None, "test": len(TEST)}
    entry = {"classes": 12, "splits": splits, "max_bad_share": 0.0}
    build_bank("speech-commands-12", archives, folder / "bank", entry=entry)
    bank = open_bank(folder / "bank")
    assert bank.waveforms is not None and int(np.abs(bank.waveforms).max()) > 0
    return pd.read_parquet(folder / "bank" / "index.parquet")


def test_the_test_archive_is_the_test_split(index: pd.DataFrame) -> None:
    test = index[index["split"] == "test"]
    expected = {f"test/{name.removeprefix('./')}": label for name, label in TEST.items()}
    assert dict(zip(test["name"], test["class"], strict=True)) == expected


def test_the_main_archive_gives_words_by_its_lists_and_none_of_its_test_list(
    index: pd.DataFrame,
) -> None:
    words = index[index["name"].str.contains("_nohash_") & (index["split"] != "test")]
    found = dict(zip(words["name"], zip(words["class"], words["split"], strict=True), strict=True))
    assert found == {
        f"{word}/0{speaker}_nohash_0.wav": (label, split)
        for word, label in WORDS.items()
        for speaker, split in enumerate(("train", "validation"))
    }


def test_silence_is_cut_from_noise_in_overlapping_seconds(index: pd.DataFrame) -> None:
    cuts = index[index["name"].str.startswith("_background_noise_")]
    assert set(cuts["class"]) == {SILENCE} and set(cuts["num_samples"]) == {16_000}
    # 2.2 s: cuts from 0, 0.5 and 1 s; 1.6 s: from 0 and 0.5 s.
    assert Counter(cuts["split"]) == {"train": 3, "validation": 2}


def test_the_declared_classes_are_those_of_the_reader() -> None:
    entry = DATASETS["speech-commands-12"]
    assert entry["classes"] == len({*COMMANDS, UNKNOWN, SILENCE})
    # Counted by hand in a copy of the test archive: commands, unknown, silence.
    counts = (425, 419, 412, 411, 406, 405, 402, 402, 396, 396, 408, 408)
    assert entry["splits"]["test"] == sum(counts)


def test_torchaudios_subsets_are_the_official_lists(tmp_path: Path) -> None:
    archive = synthetic_archives("speech-commands", tmp_path)["clips"]
    folder = tmp_path / "SpeechCommands" / "speech_commands_v0.02"
    with tarfile.open(archive) as file:
        file.extractall(folder, filter="data")
    classes, splits = SMALL["speech-commands"]
    entry = {"classes": classes, "splits": splits, "max_bad_share": 0.0}
    build_bank("speech-commands", {"clips": archive}, tmp_path / "bank", entry=entry)
    ours = pd.read_parquet(tmp_path / "bank" / "index.parquet")
    for subset, split in (("training", "train"), ("validation", "validation"), ("testing", "test")):
        theirs = SPEECHCOMMANDS(tmp_path, subset=subset)
        found = [theirs.get_metadata(place) for place in range(len(theirs))]
        pairs = {
            (name.removeprefix("speech_commands_v0.02/"), label) for name, _, label, *_ in found
        }
        rows = ours[ours["split"] == split]
        assert pairs == set(zip(rows["name"], rows["class"], strict=True))
        assert len(found) == len(rows)
