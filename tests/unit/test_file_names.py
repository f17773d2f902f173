"""Folders as they are on real disks: leftovers of systems, and two forms of Unicode."""

import logging
import unicodedata
from pathlib import Path

import pytest

from fedssl.data.banks.bank import read_facts
from fedssl.data.fetch.manual_files import manual_files
from fedssl.data.file_names import existing_path, is_leftover
from fedssl.data.own.dataset_entry import source
from fedssl.data.own.listing import find_files, listing_digest
from tests.unit.own_files import FOLDER, TABLE, bank, by_class, completed, csv, sound

# fmt: off
LEFTOVERS = [
    "__MACOSX", "._a.wav", ".DS_Store", ".AppleDouble", "Thumbs.db", "THUMBS.DB", "ehthumbs.db",
    "desktop.ini", "Desktop.ini", "$RECYCLE.BIN", "System Volume Information", "lost+found",
    "@eaDir", "#recycle", "#snapshot", "@Recycle", ".@__thumb", "a.wav@SynoEAStream", "FOUND.000",
    "a.wav:Zone.Identifier", "~$notes.docx", ".Trash-1000", ".nfs0001", "Picasa.ini", "Icon\r",
    "LOST.DIR", "Desktop DB", "autorun.inf", "AlbumArt_{0A1B}_Large.jpg",
]
# fmt: on
NFC, NFD = (unicodedata.normalize(form, "V\u00f6gel") for form in ("NFC", "NFD"))


# A screenshot of macOS, Persian, Japanese, an emoji of several, and a space that does not break.
SHOWN = ["9.41\u202fPM", "\u0645\u06cc\u200c\u0631", "\u72ac\u3000\u732b", "a\u00a0b"]
SHOWN += ["\U0001f469\u200d\U0001f52c"]


@pytest.mark.parametrize("name", SHOWN)
def test_names_with_spaces_and_joiners_of_many_scripts_are_read(name: str, tmp_path: Path) -> None:
    folder = by_class(tmp_path / "s", each=2)
    sound(folder / name / f"{name}.wav")
    sound(folder / name / "x.wav")
    assert {file.label for file in find_files(FOLDER, folder)} == {"a", "b", name}
    rows = (f"s/{name}/{name}.wav,{name},train", "s/b/0.wav,b,test")
    found = find_files(TABLE, csv(tmp_path, *rows))
    assert [file.label for file in found] == [name, "b"]
    assert all(Path(file.path).is_file() for file in found)


@pytest.mark.parametrize("name", LEFTOVERS)
def test_leftovers_are_passed_over_at_every_depth(name: str, tmp_path: Path) -> None:
    assert is_leftover(name)
    folder = by_class(tmp_path / "s", each=2)
    for split in ("train", "test"):
        by_class(tmp_path / "t" / split, each=2)
    expected = [listing_digest(find_files(FOLDER, tmp_path / kind)) for kind in "st"]
    for place in (folder, folder / "a", *(tmp_path / "t" / p for p in ("", "train", "test/b"))):
        sound(place / name / "a" / "x.wav")
    found = [listing_digest(find_files(FOLDER, tmp_path / kind)) for kind in "st"]
    assert found == expected
    for kind in "st":
        completed({"folder": str(tmp_path / kind)})
    assert len(list(manual_files(tmp_path / "t"))) == 8


@pytest.mark.parametrize("name", ["a", "macosx", "thumbs", "Icon", "recycle", "tmp", "@a", "#1"])
def test_names_that_only_look_alike_are_classes(name: str) -> None:
    assert not is_leftover(name)


def test_leftovers_are_counted_in_the_log(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    folder = by_class(tmp_path / "s")
    for place in (folder / "a", folder / "b"):
        (place / "Thumbs.db").touch()
    sound(folder / "__MACOSX" / "a" / "x.wav")
    with caplog.at_level(logging.WARNING):
        bank(FOLDER, folder, tmp_path / "bank")
    assert "passed over 3 files and folders of operating systems" in caplog.text
    assert "Thumbs.db (2)" in caplog.text and "__MACOSX (1)" in caplog.text
    assert read_facts(tmp_path / "bank")["bad"] == []


@pytest.mark.parametrize(("there", "named"), [(NFC, NFD), (NFD, NFC)])
def test_both_unicode_forms_are_one_path_and_one_label(
    there: str, named: str, tmp_path: Path
) -> None:
    for take in range(4):
        sound(tmp_path / there / there / f"{there}{take}.wav", hz=300 + take)
        sound(tmp_path / there / "b" / f"{take}.wav", hz=500 + take)
    rows = [f"{named}/{named}{take}.wav,{form},train" for take, form in enumerate((NFC, NFD))]
    table = csv(tmp_path / there, *rows, "b/0.wav,b,train", "b/1.wav,b,test")
    from_table = bank(TABLE, table, tmp_path / "bank")
    assert from_table.classes == (NFC, "b")
    assert len(from_table) == 4
    from_folder = bank(FOLDER, Path(existing_path(str(tmp_path / named))), tmp_path / "bank2")
    assert from_folder.classes == from_table.classes
    assert source({"folder": str(tmp_path / named)})[1].is_dir()


def test_a_folder_in_two_forms_is_one_class(tmp_path: Path) -> None:
    for form in (NFC, NFD):
        sound(tmp_path / "s" / form / f"{len(form)}.wav", hz=300 + len(form))
        sound(tmp_path / "s" / "b" / f"{len(form)}.wav", hz=400 + len(form))
    assert {file.label for file in find_files(FOLDER, tmp_path / "s")} == {NFC, "b"}
    assert len(find_files(FOLDER, tmp_path / "s")) == 4


def test_the_split_does_not_depend_on_the_form(tmp_path: Path) -> None:
    splits = []
    for number, form in enumerate((NFC, NFD)):
        for take in range(12):
            sound(tmp_path / str(number) / "a" / f"{form}{take}.wav")
            sound(tmp_path / str(number) / form / f"{take}.wav")
        found = find_files(FOLDER, tmp_path / str(number))
        splits.append([(file.name, file.label, file.split) for file in found])
    assert splits[0] == splits[1]


def test_a_file_in_two_classes_is_noted(tmp_path: Path) -> None:
    folder = by_class(tmp_path / "s", each=3)
    same = "its data is also in another class"
    # The made-up files of both classes are equal.
    bank(FOLDER, folder, tmp_path / "bank")
    notes = read_facts(tmp_path / "bank")["notes"]
    assert notes[same]["members"] == 6 and set(notes[same]["first"][:1]) <= {"a/0.wav"}
    for take in range(3):
        sound(folder / "b" / f"{take}.wav", hz=800 + take)
    bank(FOLDER, folder, tmp_path / "bank")
    assert "notes" not in read_facts(tmp_path / "bank")
