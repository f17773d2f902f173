"""All readers: complete archives, a fixed order, and refusal of hostile member names."""

import io
import pickle
import tarfile
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from fedssl.data.banks.bank import open_bank
from fedssl.data.banks.build import build_bank, get_reader
from fedssl.data.banks.decoding import decode_members
from fedssl.data.made_up.media import wav
from fedssl.data.readers import fsdd, speech_commands
from fedssl.data.samples import Encoded, Sample
from fedssl.errors import UserError
from tests.unit.archives import DATASETS, SMALL, synthetic_archives, tarred, zipped

CLIP = wav(np.arange(800, dtype=np.int16), rate=16_000)
LISTS = dict.fromkeys(["validation_list.txt", "testing_list.txt"], b"")


@pytest.mark.parametrize("dataset", SMALL)
def test_every_dataset_reads_into_a_balanced_bank(dataset: str, tmp_path: Path) -> None:
    classes, splits = SMALL[dataset]
    archives = synthetic_archives(dataset, tmp_path)
    entry = {"classes": classes, "splits": splits, "max_bad_share": 0.0}
    build_bank(dataset, archives, tmp_path / "bank", entry=entry)
    bank = open_bank(tmp_path / "bank")
    assert bank.modality == DATASETS[dataset]["modality"]
    for split, count in splits.items():
        labels = bank.labels[bank.indices(split)]
        assert set(Counter(labels.tolist()).values()) == {count // classes}


@pytest.mark.parametrize("dataset", SMALL)
def test_reading_twice_gives_the_same_samples(dataset: str, tmp_path: Path) -> None:
    reader, archives = get_reader(dataset), synthetic_archives(dataset, tmp_path)
    runs = [decode_members(reader.read(archives)) for _ in range(2)]
    for first, second in zip(*runs, strict=True):
        assert isinstance(first, Sample) and isinstance(second, Sample)
        assert (first.name, first.label, first.split) == (second.name, second.label, second.split)
        np.testing.assert_array_equal(first.data, second.data)


@pytest.mark.parametrize("dataset", SMALL)
def test_members_can_be_decoded_in_another_process(dataset: str, tmp_path: Path) -> None:
    for member in get_reader(dataset).read(synthetic_archives(dataset, tmp_path)):
        if isinstance(member, Encoded):
            assert pickle.loads(pickle.dumps(member.decode)) == member.decode


@pytest.mark.parametrize("name", ["audioset", "decode", "archive-members"])
def test_a_dataset_without_a_reader_lists_those_with_one(name: str) -> None:
    with pytest.raises(UserError, match=f"no reader for '{name}'; the readers are ") as caught:
        get_reader(name)
    listed = str(caught.value).partition("the readers are ")[2].split(", ")
    assert {"advance-sound", "esc10", "fsdd"} < set(listed), "helpers of the readers are not listed"
    assert {"advance", "decode", "archive-members"}.isdisjoint(listed)


@pytest.mark.parametrize("name", ["../evil.wav", "/etc/evil.wav", "yes/../../evil.wav", "a\\b"])
def test_names_that_leave_the_archive_are_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="names must be relative"):
        list(decode_members(fsdd.read({"recordings": zipped(tmp_path, {name: CLIP})})))
    with pytest.raises(UserError, match="names must be relative"):
        list(
            decode_members(speech_commands.read({"clips": tarred(tmp_path, LISTS | {name: CLIP})}))
        )


def test_links_in_a_tar_are_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "a.tar.gz"
    with tarfile.open(path, "w:gz") as archive:
        for name, data in (LISTS | {"./yes/aa_nohash_0.wav": CLIP}).items():
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
        link = tarfile.TarInfo("./yes/dd_nohash_0.wav")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(link)
    names = {sample.name for sample in decode_members(speech_commands.read({"clips": path}))}
    assert names == {"yes/aa_nohash_0.wav"}


def test_a_file_that_is_no_zip_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.zip").write_bytes(b"<html>")
    with pytest.raises(UserError, match=r"a\.zip is not a whole zip archive"):
        list(decode_members(fsdd.read({"recordings": tmp_path / "a.zip"})))
