"""Own datasets: a folder by class or a CSV file becomes a bank, or an error says why not."""

import os
from collections import Counter
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import ExifTags, Image

from fedssl.data.banks.bank import Bank, open_bank, read_facts
from fedssl.data.banks.build import build_bank
from fedssl.data.banks.settings import OwnFiles
from fedssl.data.made_up.media import jpeg
from fedssl.data.own.dataset_entry import with_own_datasets
from fedssl.data.own.listing import find_files, listing_digest, own_files
from fedssl.errors import UserError
from fedssl.grid.configuration import Layer
from fedssl.schema.validate import validate
from tests.unit.archives import DATASETS
from tests.unit.sounds import encoded, tone

FOLDER = OwnFiles("folder", "audio", test_share=0.25)
IMAGES = OwnFiles("folder", "image", test_share=0.25, size=32)
TABLE = OwnFiles("table", "audio")


def sound(path: Path, *, hz: float = 440) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(encoded(tone(hz, seconds=0.05)))
    return path


def by_class(folder: Path, *, classes: str = "ab", each: int = 8) -> Path:
    for label in classes:
        for take in range(each):
            sound(folder / label / f"{take}.wav", hz=300 + take)
    return folder


def bank(own: OwnFiles, source: Path, folder: Path, **changes: Any) -> Bank:
    _, entry = completed({own.kind: str(source), **changes}, modality=own.modality)
    build_bank("mine", {own.kind: source}, folder, entry={**entry, "own": asdict(own)})
    return open_bank(folder)


def completed(keys: dict[str, Any], *, modality: str = "audio") -> tuple[str, dict[str, Any]]:
    entry = {"modality": modality, **keys}
    layers = [Layer("my.yaml", {"datasets": {"mine": entry}})]
    config = with_own_datasets({"datasets": {"mine": entry}}, layers)
    return layers[0].name, config["datasets"]["mine"]


def refused(keys: dict[str, Any]) -> str:
    with pytest.raises(UserError) as caught:
        completed(keys)
    return str(caught.value)


def csv(folder: Path, *rows: str, header: str = "path,label,split") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "my.csv").write_text("\n".join([header, *rows]) + "\n")
    return folder / "my.csv"


# A folder


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


# A table


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


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        (("a.wav,dog,train", "b.wav,,test"), "my.csv, line 3: label is empty"),
        (("a.wav,dog,train", ",cat,test"), "my.csv, line 3: path is empty"),
        (("a.wav,dog,Train",), "line 2: split is 'Train'; it must be lower-case letters"),
        (("a.wav,dog,train", "./a.wav,cat,test"), "line 3: ./a.wav is already in line 2"),
        (("a.wav,dog,train", "b.wav,dog,test"), "has one class only, 'dog'; at least two"),
        (
            ("a.wav,dog,train", "b.wav,cat,train"),
            "has the splits train; it must have train and another one",
        ),
        (("a.wav,dog",), "line 2 has 2 fields, but the header has 3"),
        ((), "has no class; at least two are needed"),
    ],
)
def test_a_row_that_is_not_right_is_named(
    rows: tuple[str, ...], words: str, tmp_path: Path
) -> None:
    message = refused({"table": str(csv(tmp_path, *rows))})
    assert words in message and message.startswith("my.yaml: datasets.mine.table: ")


def test_a_missing_column_is_named_with_those_there(tmp_path: Path) -> None:
    message = refused({"table": str(csv(tmp_path, header="file;label;split"))})
    assert "line 1 has no column path, label, split; its columns are file;label;split" in message


# Mistakes


def test_a_folder_that_is_not_right_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "empty").mkdir()
    by_class(tmp_path / "one", classes="a")
    by_class(tmp_path / "mixed" / "train")
    by_class(tmp_path / "alone" / "train")
    by_class(tmp_path / "mixed" / "test")
    by_class(tmp_path / "mixed", classes="z")
    for name, words in {
        "absent": f"{tmp_path}/absent does not exist; it must be a folder for each class",
        "file": "file is not a folder",
        "empty": "empty/ has no class; at least two are needed",
        "one": "one/ has one class only, 'a'; at least two are needed",
        "mixed": "holds the splits train, test and also z",
        "alone": "holds train, but no test or validation folder",
    }.items():
        assert words in refused({"folder": str(tmp_path / name)})
    assert "keep one of the two" in refused({"folder": str(tmp_path), "table": "x"})
    assert "size is only valid for a dataset of kind image" in refused(
        {"folder": str(tmp_path), "size": 32}
    )


def test_files_of_another_kind_are_named_with_what_can_be_read(tmp_path: Path) -> None:
    by_class(tmp_path / "s", each=1)
    with pytest.raises(UserError, match=r"\.wav \(2\); files must end in \.jpeg, \.jpg, \.png"):
        bank(IMAGES, tmp_path / "s", tmp_path / "bank")


def test_a_name_that_is_no_text_is_shown(tmp_path: Path) -> None:
    folder = by_class(tmp_path)
    Path(os.fsdecode(os.fsencode(folder / "a") + b"/bell\xff.wav")).touch()
    with pytest.raises(
        UserError, match=r"a holds 'bell\\udcff.wav', a name that cannot be printed"
    ):
        find_files(FOLDER, folder)


def test_class_folders_without_a_file_are_no_classes(tmp_path: Path) -> None:
    by_class(tmp_path / "s", classes="a")
    (tmp_path / "s" / "b").mkdir()
    with pytest.raises(UserError, match="s has one class only, 'a'; at least two are needed"):
        bank(FOLDER, tmp_path / "s", tmp_path / "bank")


def test_bad_files_are_listed_and_too_many_end_the_job(tmp_path: Path) -> None:
    folder = by_class(tmp_path / "s")
    (folder / "a" / "broken.wav").write_bytes(b"RIFF")
    (folder / "b" / "notes.txt").touch()
    (folder / "b" / "gone.wav").symlink_to(tmp_path / "nowhere.wav")
    with pytest.raises(UserError, match="3 of 19 members of mine cannot be read") as caught:
        bank(FOLDER, folder, tmp_path / "bank")
    assert "its suffix is .txt" in str(caught.value)
    assert len(bank(FOLDER, folder, tmp_path / "bank", max_bad_share=0.2)) == 16
    bad = {member["name"]: member["reason"] for member in read_facts(tmp_path / "bank")["bad"]}
    assert set(bad) == {"a/broken.wav", "b/notes.txt", "b/gone.wav"}


def test_a_file_that_a_table_names_in_vain_is_told_with_its_line(tmp_path: Path) -> None:
    sound(tmp_path / "a.wav")
    table = csv(tmp_path, "a.wav,dog,train", "b.wav,cat,test")
    with pytest.raises(UserError, match=r"b\.wav, which .*my\.csv, line 3 names, is no file"):
        bank(TABLE, table, tmp_path / "bank")


# What the listing notices


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


# The schema


@pytest.mark.parametrize(
    ("name", "entry", "words"),
    [
        ("mine", {"modality": "audio", "foldr": "x"}, "foldr is no setting (did you mean folder?)"),
        ("mine", {"folder": "x"}, "datasets.mine lacks modality"),
        ("mine", {"modality": "audio", "folder": "x", "splits": {}}, "splits is no setting"),
        ("fsdd", {"folder": "x"}, "folder is 'x'; it must be absent: this dataset has archives"),
    ],
)
def test_a_wrong_key_is_named(name: str, entry: dict[str, Any], words: str) -> None:
    shipped = DATASETS.get(name, {})
    layers = [Layer("datasets.yaml", {"datasets": {name: shipped}} if shipped else {})]
    layers.append(Layer("my.yaml", {"datasets": {name: entry}}))
    with pytest.raises(UserError) as caught:
        validate({"datasets": {name: {**shipped, **entry}}}, layers)
    line = next(line for line in str(caught.value).splitlines() if words in line)
    assert line.startswith("my.yaml: ")
