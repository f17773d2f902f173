"""Pairs of a split: both members are in it, have one class, and match by name."""

from pathlib import Path

import numpy as np
import pytest

from fedssl.data.banks.bank import open_bank
from fedssl.data.pairing import pair_split
from fedssl.data.samples import Sample
from fedssl.errors import UserError
from tests.unit import banks

RNG = np.random.default_rng(0)
PHOTO = RNG.integers(0, 256, (4, 4, 3), dtype=np.uint8)
CLIP = RNG.integers(-99, 99, 7).astype(np.int16)


def bank(folder: Path, data: np.ndarray, *members: tuple[str, str]) -> Path:
    """Write a bank of (class, split) members; each is named by its number within its class."""
    samples = [
        Sample(f"{label}/{i}", label, split, data) for i, (label, split) in enumerate(members)
    ]
    banks.write(samples, folder)
    return folder


def two(folder: Path) -> tuple[Path, Path]:
    """Return a bank of 24 images and one of 12 sounds; every third member is in test."""
    seen = [("abc"[i % 4 % 3], "test" if i % 3 == 0 else "train") for i in range(24)]
    heard = [("abc"[i % 3], "test" if i // 3 % 3 == 0 else "train") for i in range(12)]
    return bank(folder / "v", PHOTO, *seen), bank(folder / "a", CLIP, *heard)


@pytest.mark.parametrize("split", ["train", "test"])
def test_by_label_every_sound_of_the_split_has_an_image_of_its_class_and_split(
    split: str, tmp_path: Path
) -> None:
    vision, sound = two(tmp_path)
    images, sounds = open_bank(vision), open_bank(sound)
    pairs = pair_split(vision, sound, by="label", split=split, seed=0)
    assert pairs["audio"].tolist() == sounds.indices(split).tolist()
    assert len(set(pairs["image"].tolist())) == len(pairs["audio"])
    assert set(images.splits[pairs["image"]]) == {split}
    assert (images.labels[pairs["image"]] == sounds.labels[pairs["audio"]]).all()


def test_by_label_the_seed_draws_the_images(tmp_path: Path) -> None:
    vision, sound = two(tmp_path)
    drawn = [
        pair_split(vision, sound, by="label", split="train", seed=s)["image"] for s in (0, 0, 1)
    ]
    assert np.array_equal(drawn[0], drawn[1]) and not np.array_equal(drawn[0], drawn[2])


def test_by_name_a_pair_has_one_name_whatever_the_order_and_the_seed(tmp_path: Path) -> None:
    members = [("ab"[i % 2], "test" if i < 4 else "train") for i in range(10)]
    named = [(f"{label}/{i}", label, split) for i, (label, split) in enumerate(members)]
    for folder, data, order in (("v", PHOTO, named), ("a", CLIP, named[::-1])):
        banks.write([Sample(*member, data) for member in order], tmp_path / folder)
    for seed in (0, 1):
        pairs = pair_split(tmp_path / "v", tmp_path / "a", by="name", split="test", seed=seed)
        assert pairs["image"].tolist() == [0, 1, 2, 3]
        assert pairs["audio"].tolist() == [9, 8, 7, 6]


@pytest.mark.parametrize("by", ["label", "name"])
def test_banks_of_other_classes_are_refused(by: str, tmp_path: Path) -> None:
    vision = bank(tmp_path / "v", PHOTO, ("a", "train"), ("b", "train"))
    sound = bank(tmp_path / "a", CLIP, ("a", "train"), ("c", "train"))
    with pytest.raises(UserError, match="classes a, b and toy a, c; a pair has one class"):
        pair_split(vision, sound, by=by, split="train", seed=0)


@pytest.mark.parametrize("by", ["label", "name"])
def test_a_split_that_is_not_there_is_named(by: str, tmp_path: Path) -> None:
    vision, sound = two(tmp_path)
    with pytest.raises(UserError, match="has no split 'dev'"):
        pair_split(vision, sound, by=by, split="dev", seed=0)
