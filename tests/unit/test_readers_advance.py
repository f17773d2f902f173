"""ADVANCE: two banks whose rows are pairs, and splits that share no place."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fedssl.data.banks.bank import open_bank
from fedssl.data.banks.build import build_bank, get_reader
from fedssl.data.banks.decoding import decode_members
from fedssl.data.made_up.containers import write_zip
from fedssl.data.made_up.media import jpeg, picture
from fedssl.data.pairing import pair_by_name
from fedssl.data.readers import advance_sound, advance_vision
from fedssl.data.readers.advance import split_by_place
from fedssl.data.samples import Sample
from fedssl.errors import UserError
from tests.unit.banks import write
from tests.unit.sounds import encoded, outcome, tone

# Ten places a class, three photographs of each; one place lies in two classes.
PLACES = {
    "sparse shrub land": range(10),
    "train station": range(10, 20),
    "lake": range(19, 29),
}
KEYS = [
    (label, f"{place:05d}_{offset}")
    for label, places in PLACES.items()
    for place in places
    for offset in range(3)
]


def advance_zips(folder: Path, *, skip: int = 0, **extra: bytes) -> dict[str, Path]:
    rng = np.random.default_rng(0)
    photo = {key: jpeg(picture(rng, 0, size=8)) for key in KEYS}
    sound = {key: encoded(tone(200 + 10 * i, seconds=0.05)) for i, key in enumerate(KEYS)}
    seen = {f"vision/{label}/{i}.jpg": photo[label, i] for label, i in KEYS[::-1]}
    heard = {f"sound/{label}/{i}.wav": sound[label, i] for label, i in KEYS[skip:]}
    write_zip(folder / "vision.zip", (seen | {"vision/lake/": b"", "vision/a.txt": b""}).items())
    write_zip(folder / "sound.zip", (heard | extra).items())
    return {"vision": folder / "vision.zip", "sound": folder / "sound.zip"}


def advance_banks(folder: Path, *, share: float = 0.0, **changes: Any) -> tuple[Path, Path]:
    archives = advance_zips(folder, **changes)
    entry = {"classes": 3, "splits": {"train": None, "test": None}, "max_bad_share": share}
    for dataset in ("advance-vision", "advance-sound"):
        build_bank(dataset, archives, folder / dataset, entry=entry)
    return folder / "advance-vision", folder / "advance-sound"


def test_advance_banks_agree_row_for_row(tmp_path: Path) -> None:
    archives = advance_zips(tmp_path)
    seen, heard = list(advance_vision.read(archives)), list(advance_sound.read(archives))
    assert [(s.name, s.label, s.split) for s in seen] == [(s.name, s.label, s.split) for s in heard]
    assert sorted(s.name for s in seen) == sorted("/".join(key) for key in KEYS)
    assert {s.label for s in seen} == set(PLACES)


def test_advance_keeps_a_place_in_one_split_and_70_percent_of_places_in_train() -> None:
    split_of = split_by_place(KEYS)
    of_place = {identity[:5]: split_of[label, identity] for label, identity in KEYS}
    assert all(split_of[key] == of_place[key[1][:5]] for key in KEYS)
    drawn = {"lake": range(19, 29), "sparse shrub land": range(10), "train station": range(10, 19)}
    for label, places in drawn.items():  # lake comes first and draws the shared place 19
        train = [of_place[f"{place:05d}"] for place in places].count("train")
        assert train == len(places) * 7 // 10, label
    assert split_by_place(KEYS[::-1]) == split_of


def test_advance_pairs_are_positions_of_equal_names(tmp_path: Path) -> None:
    vision, sound = advance_banks(tmp_path)
    left, right = pair_by_name(vision, sound)
    assert left.dtype == np.int64
    np.testing.assert_array_equal(left, np.arange(len(KEYS)))
    np.testing.assert_array_equal(right, left)
    np.testing.assert_array_equal(open_bank(vision).splits, open_bank(sound).splits)
    np.testing.assert_array_equal(open_bank(vision).labels, open_bank(sound).labels)


def test_advance_leaves_out_pairs_with_a_member_that_cannot_be_read(tmp_path: Path) -> None:
    label, identity = KEYS[7]
    broken = {f"sound/{label}/{identity}.wav": b"RIFF"}
    vision, sound = advance_banks(tmp_path, share=0.1, **broken)
    left, right = pair_by_name(vision, sound)
    names = [sample.name for sample in decode_members(advance_vision.read(advance_zips(tmp_path)))]
    gone = names.index(f"{label}/{identity}")
    assert left.tolist() == [i for i in range(len(KEYS)) if i != gone]
    assert right.tolist() == list(range(len(KEYS) - 1))


def test_advance_members_without_a_partner_are_refused(tmp_path: Path) -> None:
    vision, sound = advance_banks(tmp_path, skip=1)
    with pytest.raises(UserError, match=r"advance-sound has no partner of .*_0 \(1 in all\)"):
        pair_by_name(vision, sound)


def test_advance_pairs_of_unequal_splits_are_refused(tmp_path: Path) -> None:
    other = tmp_path / "other"
    vision, _ = advance_banks(tmp_path)
    archives = advance_zips(tmp_path)
    flip = {"train": "test", "test": "train"}
    samples = [
        Sample(s.name, s.label, flip[s.split], s.data)
        for s in decode_members(advance_sound.read(archives))
        if isinstance(s, Sample)
    ]
    write(samples, other)
    with pytest.raises(UserError, match="class and split of a pair must be equal"):
        pair_by_name(vision, other)


def test_advance_knows_double_suffixes_twins_and_mac_leavings(tmp_path: Path) -> None:
    clip = encoded(tone(440, seconds=0.1, rate=44_100), rate=44_100)
    archives = advance_zips(
        tmp_path,
        **{
            "data/sound/lake/00031_0.wav.WAV": clip,
            "sound/lake/00028_0.wav.wav": clip,  # 00028_0.wav is there too
            "sound/Étang/00040_ü.wav": clip,
            "__MACOSX/sound/lake/00050.wav": clip,
            "sound/lake/._00028_0.wav": clip,
            "sound/lake/deep/00060.wav": clip,
        },
    )
    names = outcome(decode_members(advance_sound.read(archives)))
    added = set(names) - {"/".join(key) for key in KEYS}
    assert added == {"lake/00031_0", "Étang/00040_ü", "sound/lake/00028_0.wav.wav"}
    assert names["sound/lake/00028_0.wav.wav"] == "BadMember"


@pytest.mark.parametrize("dataset", ["advance-vision", "advance-sound", "dov"])
@pytest.mark.parametrize("name", ["../evil.wav", "/evil.wav", "a/../../evil.jpg", "a\\b.wav"])
def test_members_that_leave_a_zip_are_refused(dataset: str, name: str, tmp_path: Path) -> None:
    write_zip(tmp_path / "a.zip", [(name, b"")])
    archives = dict.fromkeys(("vision", "sound", "recordings"), tmp_path / "a.zip")
    with pytest.raises(UserError, match="names must be relative"):
        list(decode_members(get_reader(dataset).read(archives)))


def test_a_zip_of_something_else_is_refused(tmp_path: Path) -> None:
    write_zip(tmp_path / "a.zip", [("lake/00001.jpg", b"")])
    with pytest.raises(UserError, match=r"has no member vision/<class>/<id>\.jpg"):
        list(decode_members(advance_vision.read({"vision": tmp_path / "a.zip"})))


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "not a whole JPEG"),
        (jpeg(picture(np.random.default_rng(0), 0, size=64))[:-300], "not a whole JPEG"),
        (jpeg(picture(np.random.default_rng(0), 0, size=9)), r"its shape is \(9, 9, 3\)"),
    ],
    ids=["empty", "cut", "size"],
)
def test_photographs_that_do_not_fit_are_bad(data: bytes, says: str, tmp_path: Path) -> None:
    photo = jpeg(picture(np.random.default_rng(0), 0, size=8))
    members = {f"vision/lake/{i:05d}.jpg": photo for i in range(9)}
    write_zip(tmp_path / "a.zip", (members | {"vision/lake/00009.jpg": data}).items())
    entry = {"classes": 1, "splits": {"train": None, "test": None}, "max_bad_share": 0.0}
    archives = {"vision": tmp_path / "a.zip"}
    with pytest.raises(UserError, match=rf"1 of 10 members .* lake/00009: .*{says}"):
        build_bank("advance-vision", archives, tmp_path / "bank", entry=entry)
