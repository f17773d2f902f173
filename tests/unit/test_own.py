"""Own datasets: a folder by class or a CSV file becomes a bank."""

import os
from collections import Counter
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import ExifTags, Image, ImageDraw, ImageOps

from fedssl.data.banks.bank import read_facts
from fedssl.data.made_up.media import jpeg
from fedssl.data.own.listing import find_files, listing_digest, own_files
from fedssl.data.own.read import SUFFIXES
from fedssl.errors import UserError
from tests.unit.own_files import (
    FOLDER,
    IMAGES,
    TABLE,
    bank,
    by_class,
    csv,
    sound,
)
from tests.unit.sounds import encoded, tone


def test_a_folder_by_class_has_a_share_of_each_class_as_test(tmp_path: Path) -> None:
    found = bank(FOLDER, by_class(tmp_path / "s"), tmp_path / "bank")
    pairs = Counter(zip(found.labels.tolist(), found.splits.tolist(), strict=True))
    assert found.classes == ("a", "b")
    assert pairs == {(0, "train"): 6, (0, "test"): 2, (1, "train"): 6, (1, "test"): 2}


def test_split_folders_are_the_splits(tmp_path: Path) -> None:
    for split, each in (("train", 3), ("test", 2), ("validation", 1)):
        by_class(tmp_path / "s" / split, each=each)
    found = bank(FOLDER, tmp_path / "s", tmp_path / "bank")
    assert Counter(found.splits.tolist()) == {"train": 6, "test": 4, "validation": 2}


def test_a_new_file_moves_no_other_from_train_to_test_and_back(tmp_path: Path) -> None:
    folder = by_class(tmp_path, each=40)
    before = {item.name: item.split for item in find_files(FOLDER, folder)}
    sound(folder / "a" / "new.wav")
    after = {item.name: item.split for item in find_files(FOLDER, folder)}
    assert sum(after[name] != split for name, split in before.items()) <= 1
    names = sorted(name for name in before if name.startswith("a/"))
    tests = [name for name in names if before[name] == "test"]
    assert len(tests) == 10
    assert tests not in (names[:10], names[-10:]), "drawn, for neighbours are often alike"


def test_a_class_of_one_file_is_trained_on(tmp_path: Path) -> None:
    folder = by_class(tmp_path)
    sound(folder / "rare" / "only.wav")
    share = replace(FOLDER, test_share=0.9)
    assert [i.split for i in find_files(share, folder) if i.label == "rare"] == ["train"]


def test_files_are_found_below_their_class_and_hidden_ones_are_not(tmp_path: Path) -> None:
    folder = by_class(tmp_path, each=1)
    sound(folder / "a" / "day" / "hour" / "x.wav")
    sound(folder / "a" / ".trash" / "x.wav")
    sound(folder / "a" / "._x.wav")
    (folder / "readme.txt").touch()
    names = [item.name for item in find_files(FOLDER, folder)]
    assert names == ["a/0.wav", "a/day/hour/x.wav", "b/0.wav"]


def test_links_are_followed_and_a_circle_of_them_is_named(tmp_path: Path) -> None:
    far = by_class(tmp_path / "far")
    folder = tmp_path / "s"
    folder.mkdir()
    for label in "ab":
        (folder / label).symlink_to(far / label)
    assert len(find_files(FOLDER, folder)) == 16
    entry = {"classes": 2, "splits": {}, "max_bad_share": 0.0, "own": asdict(FOLDER)}
    assert set(own_files(entry, {"folder": str(folder)})) == {
        f"{folder}/{c}/{n}.wav" for c in "ab" for n in range(8)
    }
    (far / "a" / "again").symlink_to(far / "a")
    with pytest.raises(UserError, match=r"again links to .*, which contains it; remove the link"):
        find_files(FOLDER, folder)


def test_images_of_any_size_become_central_squares_of_one(tmp_path: Path) -> None:
    for label, (height, width) in {"a": (40, 90), "b": (64, 20)}.items():
        for take in range(4):
            pixels = np.zeros((height, width, 3), np.uint8)
            pixels[:, :, 1] = 200
            path = tmp_path / "s" / label / f"{take}.JPG"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(jpeg(pixels))
    found = bank(IMAGES, tmp_path / "s", tmp_path / "bank")
    assert found.images is not None and found.images.shape == (8, 32, 32, 3)
    assert abs(int(found.images[..., 1].mean()) - 200) < 5


def test_photographs_are_put_upright(tmp_path: Path) -> None:
    pixels = np.zeros((40, 80, 3), np.uint8)
    pixels[:, :40] = 255
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6  # to be turned by 90 degrees, clockwise
    for label in "ab":
        for take in range(4):
            path = tmp_path / "s" / label / f"{take}.jpg"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels).save(path, exif=exif)
    images = bank(IMAGES, tmp_path / "s", tmp_path / "bank").images
    assert images is not None
    assert images[:, :12].min() > 200 and images[:, -12:].max() < 55


def test_large_photographs_are_nearly_those_of_the_whole_image(tmp_path: Path) -> None:
    whole, sizes = {}, {"a": (1600, 1200), "b": (1599, 1201), "c": (250, 130)}
    for label, size in sizes.items():
        for take in range(4):
            path = tmp_path / "s" / label / f"{take}.jpg"
            path.parent.mkdir(parents=True, exist_ok=True)
            photograph(size, seed=take).save(path, quality=92)
            square = ImageOps.fit(Image.open(path), (32, 32), Image.Resampling.BICUBIC)
            whole[f"{label}/{path.name}"] = np.asarray(square, dtype=int)
    bank(IMAGES, tmp_path / "s", tmp_path / "bank")
    images = np.load(tmp_path / "bank" / "images.npy").astype(int)
    names = pd.read_parquet(tmp_path / "bank" / "index.parquet")["name"]
    errors = {name: abs(images[i] - whole[name]) for i, name in enumerate(names)}
    for name, error in errors.items():
        if name.startswith("a"):
            assert 0 < error.mean() < 0.5 and error.max() <= 12
        else:  # a side that 2 does not divide, or no more than 4 times the bank's pixels
            assert error.max() == 0


def photograph(size: tuple[int, int], *, seed: int) -> Image.Image:
    """Return a picture of soft colours and sharp edges."""
    rng = np.random.default_rng(seed)
    image = Image.fromarray(rng.integers(0, 256, (9, 12, 3), np.uint8)).resize(size)
    draw = ImageDraw.Draw(image)
    for _ in range(40):
        x, y, radius = (int(number) for number in rng.integers(1, (*size, size[1] // 4)))
        colour = tuple(int(value) for value in rng.integers(0, 256, 3))
        draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=colour)
    return image


def test_a_table_gives_paths_labels_and_splits(tmp_path: Path) -> None:
    sound(tmp_path / "t" / "x" / "1.wav")
    far = sound(tmp_path / "far.wav")
    table = csv(
        tmp_path / "t",
        '5,x/1.wav,"dog, loud",train',
        f"6,{far},cat,test",
        header="id,path,label,split",
    )
    found = bank(TABLE, table, tmp_path / "bank")
    assert found.classes == ("cat", "dog, loud")
    index = pd.read_parquet(tmp_path / "bank" / "index.parquet")
    assert index[["name", "class", "split"]].to_numpy().tolist() == [
        ["x/1.wav", "dog, loud", "train"],
        [str(far), "cat", "test"],
    ]


def test_the_listing_notices_what_it_says_it_does(tmp_path: Path) -> None:
    folder = by_class(tmp_path)
    path = folder / "a" / "0.wav"

    def digest() -> str:
        return listing_digest(find_files(FOLDER, folder))

    before, times = digest(), path.stat().st_mtime_ns
    assert digest() == before
    content = path.read_bytes()
    path.write_bytes(content[:-1] + b"\0")
    os.utime(path, ns=(times, times))
    assert digest() == before  # as documented: same size and time
    path.write_bytes(content + b"\0")
    os.utime(path, ns=(times, times))
    assert digest() != before
    path.write_bytes(content)
    os.utime(path, ns=(times + 1, times + 1))
    assert digest() != before
    os.utime(path, ns=(times, times))
    assert digest() == before
    path.rename(path.with_name("00.wav"))
    assert digest() != before


def test_a_changed_label_is_noticed(tmp_path: Path) -> None:
    sound(tmp_path / "a.wav")
    digests = {
        listing_digest(find_files(TABLE, csv(tmp_path, f"a.wav,{label},{split}")))
        for label in ("dog", "cat")
        for split in ("train", "test")
    }
    assert len(digests) == 4


@pytest.mark.parametrize("suffix", sorted({*SUFFIXES["audio"], ".AIF"}))
def test_sound_of_every_named_suffix_is_read(suffix: str, tmp_path: Path) -> None:
    names = {".aif": "AIFF", ".aifc": "AIFF", ".oga": "OGG", ".opus": "OGG", ".snd": "AU"}
    container = names.get(suffix.lower(), suffix[1:].upper())
    folder = by_class(tmp_path / "s", each=4)
    kinds = {"OGG": "VORBIS", "MP3": "MPEG_LAYER_III"}
    data = encoded(tone(440), container=container, subtype=kinds.get(container, "PCM_16"))
    (folder / "a" / f"x{suffix}").write_bytes(data)
    assert len(bank(FOLDER, folder, tmp_path / "bank")) == 9


@pytest.mark.parametrize("suffix", sorted({*SUFFIXES["image"], ".TIF"}))
def test_an_image_of_every_named_suffix_is_read(suffix: str, tmp_path: Path) -> None:
    for place, label in enumerate("ab"):
        (tmp_path / "i" / label).mkdir(parents=True)
        for n in range(4):
            image = Image.new("RGB", (9, 9), (90 * place + n, 60, 40))
            kind = {".jfif": "JPEG", ".jpe": "JPEG"}.get(suffix)
            image.save(tmp_path / "i" / label / f"{n}{suffix}", format=kind)
    read = bank(IMAGES, tmp_path / "i", tmp_path / "bank", max_bad_share=0.0)
    assert len(read) == 8


def test_a_file_of_another_kind_is_told_how_to_convert_it(tmp_path: Path) -> None:
    folder = by_class(tmp_path / "s", each=4)
    (folder / "a" / "x.m4a").touch()
    bank(FOLDER, folder, tmp_path / "bank", max_bad_share=0.2)
    (bad,) = read_facts(tmp_path / "bank")["bad"]
    assert "its suffix is .m4a" in bad["reason"] and "convert it to .flac or .wav" in bad["reason"]


def test_the_limits_are_those_of_the_entry(tmp_path: Path) -> None:
    folder = by_class(tmp_path / "s", each=4)
    for limit, words in (
        ({"max_minutes": 0.0001}, "minutes where 0.0001 are allowed, see max_minutes"),
        ({"max_megabytes": 0.0001}, "it has 1644 bytes where 100 are allowed, see max_megabytes"),
    ):
        with pytest.raises(UserError, match=words):
            bank(replace(FOLDER, **limit), folder, tmp_path / "bank")
