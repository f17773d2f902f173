"""Writing banks: repeatable bytes and the declared contents, or no bank at all."""

import json
import shutil
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from fedssl.data.banks import writer as bank_writer
from fedssl.data.banks.bank import open_bank
from fedssl.data.banks.writer import write_bank
from fedssl.data.samples import BadMember, Sample
from fedssl.errors import UserError
from tests.unit.banks import BAD, Samples, clips, contents, images, toy_partial_bank, write


def test_index_names_every_sample(tmp_path: Path) -> None:
    write(clips(), tmp_path)
    index = pd.read_parquet(tmp_path / "index.parquet")
    expected = ["position", "name", "label", "class", "split", "content", "num_samples"]
    assert index.columns.tolist() == expected
    assert index["position"].tolist() == [0, 1, 2, 3]
    assert index["num_samples"].tolist() == [5, 1, 9, 3]
    assert index["class"].tolist() == ["a", "b", "a", "b"]
    assert index["label"].tolist() == [0, 1, 0, 1]


@pytest.mark.parametrize("samples", [images(), clips()], ids=["image", "audio"])
def test_same_samples_give_the_same_bytes(samples: Samples, tmp_path: Path) -> None:
    write(samples, tmp_path / "a")
    write(samples, tmp_path / "b")
    assert contents(tmp_path / "a") == contents(tmp_path / "b")


@pytest.mark.parametrize(
    "change",
    [
        {"data": np.zeros((4, 4, 3), np.uint8)},
        {"name": "renamed.png"},
        {"label": "cat"},
        {"split": "test"},
    ],
    ids=lambda change: next(iter(change)),
)
def test_any_change_of_a_sample_changes_the_digest(change: dict[str, Any], tmp_path: Path) -> None:
    samples = images()
    before = write(samples, tmp_path)["digest"]
    samples[0] = Sample(**{**vars(samples[0]), **change})
    assert write(samples, tmp_path)["digest"] != before
    assert open_bank(tmp_path).digest != before


def test_labels_do_not_depend_on_the_order_of_arrival(tmp_path: Path) -> None:
    samples = images()
    write(samples, tmp_path / "forth")
    write(samples[::-1], tmp_path / "back")
    forth, back = open_bank(tmp_path / "forth"), open_bank(tmp_path / "back")
    assert forth.classes == back.classes
    np.testing.assert_array_equal(forth.labels, back.labels[::-1])


def test_memory_does_not_grow_with_the_samples(tmp_path: Path) -> None:
    def megabytes(count: int) -> Iterator[Sample]:
        for i in range(count):
            yield Sample(str(i), "ab"[i % 2], "train", np.full((512, 683, 3), i % 256, np.uint8))

    peaks = []
    for count in (4, 24):
        tracemalloc.start()
        write(images(), tmp_path)  # warm imports and caches
        with toy_partial_bank(tmp_path / str(count)) as partial:
            write_bank(
                megabytes(count),
                tmp_path / str(count),
                dataset="toy",
                modality="image",
                num_classes=2,
                counts={"train": count},
                max_bad_share=0.0,
                partial=partial,
            )
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < peaks[0] + 1_000_000  # 20 more images hold 21 MB


def test_wrong_counts_name_both_numbers_and_leave_nothing(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"test 2, train 4 members, but .* test 2, train 5"):
        write(images(), tmp_path, counts={"train": 5, "test": 2})
    assert contents(tmp_path) == {}


def test_an_undeclared_split_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"test 2, train 4 members, but .* declares train 4"):
        write(images(), tmp_path, counts={"train": 4})


def test_wrong_class_count_names_both_numbers(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"3 classes, but .* declares 4"):
        write(images(), tmp_path, num_classes=4)


def test_no_samples_at_all_is_a_wrong_count(tmp_path: Path) -> None:
    with (
        toy_partial_bank(tmp_path) as partial,
        pytest.raises(UserError, match=r"hold no members, but .* declares train 3"),
    ):
        write_bank(
            [],
            tmp_path,
            dataset="toy",
            modality="image",
            num_classes=2,
            counts={"train": 3},
            max_bad_share=0.0,
            partial=partial,
        )


def test_bad_members_within_the_share_count_as_found_and_are_listed(tmp_path: Path) -> None:
    facts = write([*images(), BAD], tmp_path, counts={"train": 5, "test": 2}, max_bad_share=0.15)
    assert facts["bad"] == [{"name": "broken.png", "reason": "it is cut short"}]
    assert facts["counts"] == {"train": 4, "test": 2}
    assert len(open_bank(tmp_path)) == 6


def test_bad_members_above_the_share_are_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"1 of 7 .* 0\.14: broken\.png: it is cut short"):
        write([*images(), BAD], tmp_path, counts={"train": 5, "test": 2}, max_bad_share=0.14)
    assert contents(tmp_path) == {}


def test_an_image_of_another_size_is_a_bad_member(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"member0\.png: its shape is \(5, 5, 3\) .* \(4, 4, 3\)"):
        write([*images(), *images(1, size=5)], tmp_path)


def test_an_empty_clip_is_a_bad_member(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"1\.wav: it holds no samples"):
        write(clips((3, 0, 4)), tmp_path)


def test_a_reader_that_yields_the_wrong_type_is_a_bug_not_a_bad_member(tmp_path: Path) -> None:
    wrong = Sample("a", "cat", "train", np.zeros((4, 4, 3), np.float32))
    with pytest.raises(TypeError, match="3-d uint8 array is needed, not 3-d float32"):
        write([wrong], tmp_path)


def test_a_failed_rewrite_leaves_the_old_bank_whole(tmp_path: Path) -> None:
    write(images(), tmp_path)
    before = contents(tmp_path)

    def breaks() -> Iterator[Sample | BadMember]:
        yield from images()[:2]
        raise OSError("the disk went away")

    with toy_partial_bank(tmp_path) as partial, pytest.raises(OSError, match="went away"):
        write_bank(
            breaks(),
            tmp_path,
            dataset="toy",
            modality="image",
            num_classes=3,
            counts={},
            max_bad_share=0.0,
            partial=partial,
        )
    assert contents(tmp_path) == before


@pytest.mark.parametrize("same", [True, False])
def test_a_rewrite_cut_short_leaves_only_the_same_bank_open(
    same: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(images(), tmp_path)

    def dies(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(bank_writer, "write_json", dies)
    with pytest.raises(KeyboardInterrupt):
        write(images() if same else images()[::-1], tmp_path)
    if same:
        assert len(open_bank(tmp_path)) == 6
    else:
        with pytest.raises(UserError, match=r"bank\.json is missing"):
            open_bank(tmp_path)


def test_what_a_killed_process_left_half_written_is_cleared(tmp_path: Path) -> None:
    for name in (".waveforms.npy.abc.part", ".labels.npy.abc.part", "kept.part"):
        (tmp_path / name).write_bytes(b"half")
    write(clips(), tmp_path)
    left = {path.name for path in tmp_path.iterdir() if path.suffix == ".part"}
    assert left == {"kept.part"}


def test_bank_json_says_nothing_of_where_and_when(tmp_path: Path) -> None:
    write(images(), tmp_path / "here")
    shutil.copytree(tmp_path / "here", tmp_path / "there")
    assert open_bank(tmp_path / "there").digest == open_bank(tmp_path / "here").digest
    assert str(tmp_path) not in json.dumps(json.loads((tmp_path / "here/bank.json").read_text()))


@pytest.mark.parametrize(
    ("unverified", "says"),
    [
        (("test",), r"declares train 3, test 1 \(unverified: test\); if the archives are whole"),
        (("classes",), r"declares train 3, test 1$"),
        ((), r"declares train 3, test 1$"),
    ],
)
def test_a_mismatch_says_which_declared_numbers_nobody_has_counted(
    unverified: tuple[str, ...], says: str, tmp_path: Path
) -> None:
    with pytest.raises(UserError, match=says.replace("train 3, test 1", "test 1, train 3")):
        write(clips(), tmp_path, counts={"train": 3, "test": 1}, unverified=unverified)
