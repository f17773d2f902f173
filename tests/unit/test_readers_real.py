"""Readers on real recordings and images, compared with counts made without the readers."""

import zipfile
from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from fedssl.data.banks.bank import Bank, open_bank
from fedssl.data.banks.build import build_bank
from fedssl.files import checksum, sha256
from tests.unit.archives import DATASETS, MIRROR, REAL, real_archives

# Digits 0-9 in the official MNIST training set, as published with it.
MNIST_TRAIN = [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]


@pytest.fixture(scope="module")
def banks(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return {dataset: tmp_path_factory.mktemp(dataset) for dataset in REAL}


def real_bank(dataset: str, banks: dict[str, Path]) -> Bank:
    archives, folder = real_archives(dataset), banks[dataset]
    if not (folder / "bank.json").exists():
        real = REAL[dataset]
        entry = {"classes": real.classes, "splits": real.splits, "max_bad_share": 0.0}
        build_bank(dataset, archives, folder, entry=entry)
    return open_bank(folder)


def index(dataset: str, banks: dict[str, Path]) -> pd.DataFrame:
    real_bank(dataset, banks)
    return pd.read_parquet(banks[dataset] / "index.parquet")


@pytest.mark.parametrize("dataset", REAL)
def test_every_member_is_read(dataset: str, banks: dict[str, Path]) -> None:
    bank = real_bank(dataset, banks)
    assert Counter(bank.splits.tolist()) == REAL[dataset].splits
    assert len(bank.classes) == REAL[dataset].classes
    assert index(dataset, banks)["name"].is_unique


def test_mnist_files_are_the_official_ones_and_have_their_digits(banks: dict[str, Path]) -> None:
    for key, path in real_archives("mnist").items():
        archive = DATASETS["mnist"]["archives"][key]
        assert f"md5:{checksum(path, algorithm='md5')}" == archive["checksum"]
        assert path.stat().st_size == archive["size"]
    bank = real_bank("mnist", banks)
    assert np.bincount(bank.labels[bank.indices("train")]).tolist() == MNIST_TRAIN
    assert bank.labels[:5].tolist() == [5, 0, 4, 1, 9]


@pytest.mark.parametrize(
    ("dataset", "split", "per_class"),
    [
        ("tiny-imagenet", "train", 200),
        ("tiny-imagenet", "validation", 50),
        ("cifar10", "train", 500),
        ("cifar10", "test", 100),
        ("fsdd", "train", 270),
        ("fsdd", "test", 30),
        ("esc10", "train", 32),
        ("esc10", "test", 8),
    ],
)
def test_balanced_sets_are_balanced(
    dataset: str, split: str, per_class: int, banks: dict[str, Path]
) -> None:
    bank = real_bank(dataset, banks)
    assert set(np.bincount(bank.labels[bank.indices(split)]).tolist()) == {per_class}


def test_tiny_imagenet_greyscale_images_have_three_equal_channels(banks: dict[str, Path]) -> None:
    bank = real_bank("tiny-imagenet", banks)
    assert bank.images is not None
    assert bank.images.shape == (5000, 64, 64, 3)
    with zipfile.ZipFile(real_archives("tiny-imagenet")["images"]) as archive:
        names = [name for name in archive.namelist() if name.endswith(".JPEG")]
        grey = {name for name in names if Image.open(archive.open(name)).mode == "L"}
    assert len(names) == 5100
    assert len(grey) == 129
    rows = index("tiny-imagenet", banks).query("name in @grey")["position"]
    assert len(rows) > 100  # the others are in the test set, which has no labels
    assert (bank.images[rows] == bank.images[rows][..., :1]).all()


def test_cifar10_images_are_upright_colour_pictures(banks: dict[str, Path]) -> None:
    bank = real_bank("cifar10", banks)
    assert bank.images is not None
    pixels = np.asarray(bank.images, np.float64)
    neighbours = np.abs(np.diff(pixels, axis=1)).mean(), np.abs(np.diff(pixels, axis=2)).mean()
    assert max(neighbours) < 20  # shuffled rows or planes would differ by about 70
    ships = pixels[bank.labels == bank.classes.index("ship")]
    top_blue_less_red = (ships[:, :8, :, 2] - ships[:, :8, :, 0]).mean()
    bottom_blue_less_red = (ships[:, -8:, :, 2] - ships[:, -8:, :, 0]).mean()
    assert top_blue_less_red > 0 and bottom_blue_less_red > 0
    assert ships[:, :8].mean() > ships[:, -8:].mean()  # sky above water


def test_fsdd_durations_are_those_stated(banks: dict[str, Path]) -> None:
    seconds = index("fsdd", banks)["num_samples"] / 16_000
    assert seconds.min() == pytest.approx(0.14, abs=0.01)
    assert seconds.max() == pytest.approx(2.28, abs=0.01)
    assert seconds.mean() == pytest.approx(0.44, abs=0.01)


def test_speech_commands_agrees_with_its_index(banks: dict[str, Path]) -> None:
    ours = index("speech-commands", banks).set_index("name")
    theirs = pd.read_csv(MIRROR / "speech-commands" / "mini35_index.csv")
    theirs = theirs.rename(columns=str.lower).set_index(theirs.columns[0])
    assert sorted(ours.index) == sorted(theirs.index)
    theirs = theirs.loc[ours.index]
    assert (ours["class"] == theirs["word"]).all()
    assert (ours["num_samples"] == theirs["n_samples"]).all()
    assert ours["num_samples"].min() == 12_288
    assert (ours["num_samples"] < 16_000).sum() == 21
    split = theirs["mini_split"].replace({"testing": "test", "training": "train"})
    assert (ours["split"] == split).all()


def test_esc10_agrees_with_its_index(banks: dict[str, Path]) -> None:
    ours = index("esc10", banks)
    ours.index = ours["name"].str.removeprefix("ESC-10-master/")
    theirs = pd.read_csv(MIRROR / "esc10" / "esc10.csv").set_index("ogg_path_in_zip")
    theirs = theirs.loc[ours.index]
    assert len(ours) == len(theirs) == 400
    assert ((theirs["fold"] == 5) == (ours["split"] == "test")).all()
    assert (pd.crosstab(ours["class"], theirs["category"]) > 0).sum().eq(1).all()
    seconds = ours["num_samples"] / 16_000
    assert seconds.min() == pytest.approx(3.64, abs=0.01)
    assert seconds.max() == pytest.approx(7.24, abs=0.01)


def test_the_mirror_is_what_its_list_says() -> None:
    real_archives("fsdd")
    listed = (MIRROR / "SHA256SUMS").read_text().split()
    sums = dict(zip(listed[1::2], listed[::2], strict=True))
    for dataset in REAL:
        for path in real_archives(dataset).values():
            assert sha256(path) == sums[f"./{dataset}/{path.name}"]
