"""Mistakes in own datasets: one error that names the file, the line or the key."""

import os
from pathlib import Path
from typing import Any

import pytest

from fedssl.data.banks.bank import read_facts
from fedssl.data.own.listing import find_files
from fedssl.errors import UserError
from fedssl.grid.configuration import Layer
from fedssl.schema.validate import validate
from tests.unit.archives import DATASETS
from tests.unit.own_files import (
    FOLDER,
    IMAGES,
    TABLE,
    bank,
    by_class,
    csv,
    refused,
    sound,
)


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
    by_class(tmp_path / "my {sounds}")
    assert "sounds}: it must be without { }, which" in refused(
        {"folder": f"{tmp_path}/my {{sounds}}"}
    )
    assert "size is only valid for a dataset of kind image" in refused(
        {"folder": str(tmp_path), "size": 32}
    )


def test_files_of_another_kind_are_named_with_what_can_be_read(tmp_path: Path) -> None:
    by_class(tmp_path / "s", each=1)
    with pytest.raises(UserError, match=r"\.wav \(2\); files must end in \.bmp, .*\.jpg, \.png"):
        bank(IMAGES, tmp_path / "s", tmp_path / "bank")


def test_a_name_that_is_no_text_is_shown(tmp_path: Path) -> None:
    folder = by_class(tmp_path)
    Path(os.fsdecode(os.fsencode(folder / "a") + b"/bell\xff.wav")).touch()
    with pytest.raises(
        UserError, match=r"a holds 'bell\\udcff.wav', a name that cannot be printed"
    ):
        find_files(FOLDER, folder)


def test_a_class_folder_without_a_file_is_refused(tmp_path: Path) -> None:
    by_class(tmp_path / "s", classes="a")
    (tmp_path / "s" / "b").mkdir()
    assert "s/ has a folder without files, b; add" in refused({"folder": str(tmp_path / "s")})


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
    with pytest.raises(UserError, match=r"b\.wav: line 3 names it, but it is no file"):
        bank(TABLE, table, tmp_path / "bank")


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


@pytest.mark.parametrize(
    ("place", "words"),
    [("a/take.wav", r"take\.wav: it is no file"), ("c", "c is a link to .*, which cannot be read")],
)
def test_a_link_to_itself_or_to_nothing_is_named(place: str, words: str, tmp_path: Path) -> None:
    for target in (Path(place).name, "/absent"):
        folder = by_class(tmp_path / target.strip("/"))
        (folder / place).symlink_to(target)
        with pytest.raises(UserError, match=words):
            bank(FOLDER, folder, tmp_path / "bank")


@pytest.mark.parametrize("names", [("Train", "Test"), ("training", "val"), ("test", "validation")])
def test_folders_that_look_like_splits_are_no_classes(
    names: tuple[str, ...], tmp_path: Path
) -> None:
    for name in names:
        by_class(tmp_path / "s" / name)
    message = refused({"folder": str(tmp_path / "s")})
    assert "which look like splits and not like classes; rename them to train" in message


def test_too_few_files_for_a_test_split_are_refused_with_the_share(tmp_path: Path) -> None:
    folder = by_class(tmp_path / "s", each=1)
    with pytest.raises(UserError, match=r"too few files in each class for a test_share of 0\.25"):
        bank(FOLDER, folder, tmp_path / "bank")


def test_a_class_of_which_nothing_can_be_read_is_named(tmp_path: Path) -> None:
    folder = by_class(tmp_path / "s")
    (folder / "c").mkdir()
    (folder / "c" / "x.wav").touch()
    words = r"no readable member of the class c, for example c/x\.wav: its file is empty; mend"
    with pytest.raises(UserError, match=words):
        bank(FOLDER, folder, tmp_path / "bank", max_bad_share=0.5)


def test_an_empty_file_and_backslashes_are_named(tmp_path: Path) -> None:
    by_class(tmp_path, each=2)
    (tmp_path / "a" / "0.wav").write_bytes(b"")
    table = csv(tmp_path, "a/0.wav,a,train", r"a\1.wav,a,train", "b/0.wav,b,test")
    with pytest.raises(UserError, match=r"a/0\.wav: its file is empty; .*write / between folders"):
        bank(TABLE, table, tmp_path / "bank")


@pytest.mark.parametrize("label", ["do\ng", "a\0b", "dog\u200b", "\u202edog"])
def test_a_label_that_cannot_be_printed_is_refused(label: str, tmp_path: Path) -> None:
    message = refused({"table": str(csv(tmp_path, f'a.wav,"{label}",train'))})
    assert f"label is {label!r}, which cannot be printed; rename it" in message


def test_a_column_given_twice_is_refused(tmp_path: Path) -> None:
    message = refused({"table": str(csv(tmp_path, header="path,label,split,label"))})
    assert "line 1 has the column label twice; keep one of them" in message


def test_rows_without_content_are_passed_over(tmp_path: Path) -> None:
    by_class(tmp_path, each=2)
    table = csv(tmp_path, "a/0.wav,a,train", ",,", "b/0.wav,b,test", " ", ",,", "")
    assert [file.line for file in find_files(TABLE, table)] == [2, 4]


def test_classes_that_are_probably_mistakes_are_warned_of(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    by_class(tmp_path, each=2)
    rows = ("a/0.wav,Dog,train", "a/1.wav,dog,train", "b/0.wav,cat,test", "b/1.wav,dog,test")
    bank(TABLE, csv(tmp_path, *rows), tmp_path / "bank")
    assert "'Dog', 'dog' are different classes; give them one name" in caplog.text
    assert "no training sample has the class cat, so it is never predicted" in caplog.text
