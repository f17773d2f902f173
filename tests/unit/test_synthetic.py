"""Generated archives: repeatable bytes, the requested contents, and classes to learn."""

import pickletools
import tarfile
import time
import zipfile
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy.signal import stft
from sklearn.neighbors import KNeighborsClassifier

from fedssl.data.banks.build import get_reader
from fedssl.data.banks.decoding import decode_members
from fedssl.data.decode import decode_audio
from fedssl.data.made_up.archives import README, write_archives
from fedssl.data.made_up.media import ogg, picture, sound
from fedssl.data.samples import Sample
from fedssl.errors import UserError
from tests.unit.archives import SMALL, archive_paths, real_archives, synthetic_archives


def contents(archives: dict[str, Path]) -> dict[str, bytes]:
    return {key: path.read_bytes() for key, path in archives.items()}


@pytest.mark.parametrize("dataset", SMALL)
def test_the_seed_decides_every_byte(
    dataset: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = contents(synthetic_archives(dataset, tmp_path / "a"))
    monkeypatch.setattr(time, "time", lambda: 2e9)  # another day
    assert contents(synthetic_archives(dataset, tmp_path / "b")) == first
    assert contents(synthetic_archives(dataset, tmp_path / "c", seed=1)) != first


@pytest.mark.parametrize("dataset", SMALL)
def test_archives_hold_what_was_asked_for(dataset: str, tmp_path: Path) -> None:
    classes, splits = SMALL[dataset]
    samples = list(decode_members(get_reader(dataset).read(synthetic_archives(dataset, tmp_path))))
    assert Counter(sample.split for sample in samples) == splits
    assert len({sample.label for sample in samples}) == classes
    assert len({sample.name for sample in samples}) == len(samples)
    pixels = {sample.data.tobytes() for sample in samples if isinstance(sample, Sample)}
    assert len(pixels) == len(samples)


def test_one_archive_of_several_is_made_alone(tmp_path: Path) -> None:
    together = contents(synthetic_archives("mnist", tmp_path / "a"))
    classes, splits = SMALL["mnist"]
    for key, path in archive_paths("mnist", tmp_path / "b").items():
        write_archives("mnist", {key: path}, classes=classes, splits=splits, seed=0)
        assert path.read_bytes() == together[key]


def test_places_of_advance_are_seen_and_heard(tmp_path: Path) -> None:
    seen, heard = (
        [(s.name, s.label, s.split) for s in get_reader(d).read(synthetic_archives(d, tmp_path))]
        for d in ("advance-vision", "advance-sound")
    )
    assert seen == heard


def test_archives_say_that_they_are_synthetic(tmp_path: Path) -> None:
    for dataset in ("tiny-imagenet", "fsdd", "esc10", "advance-vision", "advance-sound"):
        (path,) = synthetic_archives(dataset, tmp_path / dataset).values()
        with zipfile.ZipFile(path) as archive:
            assert README in {archive.read(n) for n in archive.namelist() if "README" in n}
    for dataset, name in (("cifar10", "readme.html"), ("speech-commands", "README.md")):
        (path,) = synthetic_archives(dataset, tmp_path / dataset).values()
        with tarfile.open(path) as tar:
            (member,) = (m for m in tar.getmembers() if m.name.endswith(name))
            file = tar.extractfile(member)
            assert file is not None and file.read() == README


def test_some_synthetic_photos_are_greyscale_as_some_official_ones_are(tmp_path: Path) -> None:
    paths = archive_paths("tiny-imagenet", tmp_path)
    write_archives(
        "tiny-imagenet", paths, classes=2, splits={"train": 100, "validation": 2}, seed=0
    )
    with zipfile.ZipFile(paths["images"]) as archive:
        names = [name for name in archive.namelist() if "/train/" in name]
        modes = Counter(Image.open(archive.open(name)).mode for name in names)
    assert 1 <= modes["L"] <= 15
    assert modes["L"] + modes["RGB"] == 100


def opcodes(path: Path, member: str) -> set[str]:
    with tarfile.open(path) as archive:
        file = archive.extractfile(member)
        assert file is not None
        return {code.name for code, _, _ in pickletools.genops(file.read())}


def test_synthetic_cifar10_is_pickled_as_python_2_did(tmp_path: Path) -> None:
    real = real_archives("cifar10")["batches"]
    ours = synthetic_archives("cifar10", tmp_path)["batches"]
    member = "cifar-10-batches-py/data_batch_1"
    added = opcodes(ours, member) - opcodes(real, member)
    # how newer versions write the same values
    assert added <= {"BINUNICODE", "NEWFALSE", "NEWTRUE", "LONG1", "TUPLE1", "TUPLE2", "TUPLE3"}
    assert not any("BYTES" in code for code in opcodes(ours, member))


def accuracy(features: np.ndarray, labels: np.ndarray) -> float:
    """Return the accuracy of kNN on the second half of the samples from the first."""
    half = len(labels) // 2
    neighbours = KNeighborsClassifier(3).fit(features[:half], labels[:half])
    return float(neighbours.score(features[half:], labels[half:]))


@pytest.mark.parametrize("kinds", [6, 10])
def test_the_class_of_a_picture_is_its_pattern_and_not_its_colours(kinds: int) -> None:
    rng = np.random.default_rng(0)
    labels = np.arange(60 * kinds) % kinds
    pictures = np.array([picture(rng, kind, size=32) for kind in labels.tolist()], np.float64)
    luma = pictures @ [0.299, 0.587, 0.114]
    waves = np.log(abs(np.fft.rfft2(luma))[:, :, :9] + 30)  # of any phase: wherever the pattern is
    assert accuracy(waves.reshape(len(labels), -1), labels) > 0.75
    assert accuracy(pictures.mean(axis=(1, 2)), labels) < 2 / kinds


def test_further_classes_of_pictures_and_sounds_differ() -> None:
    first, second = (picture(np.random.default_rng(0), kind, size=32) for kind in (0, 10))
    assert not np.array_equal(first, second)
    low, high = (sound(np.random.default_rng(0), k, seconds=1, rate=8000) for k in (0, 10))
    peaks = [abs(np.fft.rfft(clip)).argmax() for clip in (low, high)]
    assert peaks[1] > 1.2 * peaks[0]


def test_the_class_of_a_sound_is_its_motif_and_not_its_loudness() -> None:
    rng = np.random.default_rng(0)
    labels = np.arange(600) % 10
    clips = [sound(rng, kind, seconds=1.0, rate=16_000) for kind in labels.tolist()]
    spectra = np.log([abs(stft(clip, nperseg=512)[2][:64]) + 1e-3 for clip in clips])
    spectra -= spectra.mean(axis=(1, 2), keepdims=True)
    # The spectrum of the modulation of each band: of any phase, as a motif may start anywhere.
    waves = np.log(abs(np.fft.rfft2(spectra)) + 30)
    assert accuracy(waves.reshape(len(labels), -1), labels) > 0.75
    loudness = np.array([[clip.std()] for clip in clips])
    assert accuracy(np.log(loudness), labels) < 0.4


def test_an_ogg_with_a_fixed_serial_decodes_whole() -> None:
    rng = np.random.default_rng(0)
    waveform = sound(rng, 0, seconds=1.0, rate=16_000)
    decoded = decode_audio(ogg(waveform, rate=16_000)) / 32_768
    assert len(decoded) == len(waveform)  # pages with a wrong CRC would be dropped
    assert np.corrcoef(decoded, waveform)[0, 1] > 0.99


@pytest.mark.parametrize(
    ("dataset", "classes", "splits", "says"),
    [
        (
            "vggsound",
            3,
            {"train": 3},
            "no generator for 'vggsound'; there are generators for advance-sound, ",
        ),
        ("cifar10", 11, {"train": 11, "test": 11}, "has 11 classes; it must have 1 to 10"),
        ("cifar10", 0, {"train": 11, "test": 11}, "has 0 classes; it must have 1 to 10"),
        ("cifar10", 2, {"train": 4}, r"splits of cifar10 are train; they must be train, test"),
        ("fsdd", 2, {"train": 4, "test": 61}, "at most 60 test items"),
        (
            "advance-sound",
            2,
            {"train": 10, "test": 10},
            "with 20 places has the splits .*: 14, .*: 6",
        ),
    ],
)
def test_what_cannot_be_made_is_refused(
    dataset: str, classes: int, splits: dict[str, int], says: str, tmp_path: Path
) -> None:
    with pytest.raises(UserError, match=says):
        write_archives(
            dataset, archive_paths(dataset, tmp_path), classes=classes, splits=splits, seed=0
        )
    assert not list(tmp_path.iterdir())
