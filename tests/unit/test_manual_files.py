"""Sound files in all accepted forms, including hostile and damaged ones."""

import io
import stat
import tarfile
import tracemalloc
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fedssl.data.banks.decoding import decode_members
from fedssl.data.fetch.manual_files import manual_members
from fedssl.data.made_up.containers import write_tar_gz, write_zip
from fedssl.data.readers import vggsound
from fedssl.data.readers.archive_members import tar_members
from fedssl.data.samples import Sample
from fedssl.errors import UserError
from tests.unit.archives import tarred, zipped
from tests.unit.sounds import CLIP, CLIPS, annotated, encoded, filled, outcome, pitch, tone


def as_folder(folder: Path, files: Mapping[str, bytes]) -> Path:
    return filled(
        folder, {f"Übung/{i}/{name}": data for i, (name, data) in enumerate(files.items())}
    )


def as_tar(folder: Path, files: Mapping[str, bytes]) -> Path:
    with tarfile.open(folder / "a.tar", "w") as archive:
        for name, data in files.items():
            entry = tarfile.TarInfo(f"./scratch/long/prefix/{name}")
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
    return folder / "a.tar"


def as_zip(folder: Path, files: Mapping[str, bytes]) -> Path:
    return zipped(folder, {f"x/{name}": data for name, data in files.items()})


def as_shards(folder: Path, files: Mapping[str, bytes]) -> Path:
    shards = folder / "shards"
    for i, item in enumerate(files.items()):
        write_tar_gz(shards / f"vggsound_{i:02d}.tar.gz", [item])
    return shards


def as_list(folder: Path, files: Mapping[str, bytes]) -> Path:
    (first, data), *others = files.items()
    filled(folder, {first: data})
    write_zip(folder / "other.zip", others)
    text = f"# mine\nclips\n\n{folder / 'other.zip'}\n"
    (folder / "clips.txt").write_text(text, encoding="utf-8")
    return folder / "clips.txt"


@pytest.mark.parametrize("supply", [as_folder, as_tar, as_zip, as_shards, as_list])
def test_clips_are_found_in_every_form_they_come_in(supply: Any, tmp_path: Path) -> None:
    clips = {f"{clip}.wav": encoded(tone(300 + 100 * i)) for i, clip in enumerate(CLIPS)}
    samples = list(decode_members(vggsound.read(annotated(tmp_path, supply(tmp_path, clips)))))
    assert {s.name: (s.label, s.split) for s in samples} == {
        CLIPS[0]: ("wind rustling leaves", "train"),
        CLIPS[1]: ("bird chirping, tweeting", "train"),
        CLIPS[2]: ("bird chirping, tweeting", "test"),
        CLIPS[3]: ("wind rustling leaves", "test"),
    }
    for sample in samples:
        assert isinstance(sample, Sample)
        assert pitch(sample.data) == 300 + 100 * CLIPS.index(sample.name)


@pytest.mark.parametrize("name", ["../evil.wav", "/etc/evil.wav", "a/../../evil.wav"])
@pytest.mark.parametrize("pack", [tarred, zipped])
def test_members_that_leave_their_archive_are_refused(pack: Any, name: str, tmp_path: Path) -> None:
    archives = annotated(tmp_path, pack(tmp_path, {f"{CLIPS[0]}.wav": CLIP, name: CLIP}))
    with pytest.raises(UserError, match="names must be relative"):
        list(decode_members(vggsound.read(archives)))


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE])
def test_links_in_a_tar_are_never_followed(kind: bytes, tmp_path: Path) -> None:
    path = tarred(tmp_path, {f"{CLIPS[0]}.wav": CLIP})
    with tarfile.open(tmp_path / "b.tar", "w") as archive:
        link = tarfile.TarInfo(f"{CLIPS[1]}.wav")
        link.type, link.linkname = kind, str(path)
        archive.addfile(link)
    (tmp_path / "clips.txt").write_text("a.tar.gz\nb.tar\n")
    samples = outcome(decode_members(vggsound.read(annotated(tmp_path, tmp_path / "clips.txt"))))
    assert samples[CLIPS[0]] == "Sample" and samples[CLIPS[1]] == "AbsentMember"


def test_a_link_in_a_zip_is_no_sound_file(tmp_path: Path) -> None:
    target = filled(tmp_path, {"secret.wav": CLIP}) / "secret.wav"
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        link = zipfile.ZipInfo(f"{CLIPS[0]}.wav")
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(link, str(target))
    samples = outcome(decode_members(vggsound.read(annotated(tmp_path, tmp_path / "a.zip"))))
    assert samples[CLIPS[0]] == "BadMember"


@pytest.mark.parametrize("supply", [as_tar, as_shards])
def test_a_truncated_shard_is_refused(supply: Any, tmp_path: Path) -> None:
    noise = np.random.default_rng(0).uniform(-1, 1, 16_000)
    path = supply(tmp_path, {f"{CLIPS[0]}.wav": encoded(noise)})
    shard = path if path.is_file() else next(path.iterdir())
    shard.write_bytes(shard.read_bytes()[:9_000])
    with pytest.raises(UserError, match=r"not a whole tar"):
        list(decode_members(vggsound.read(annotated(tmp_path, path))))


@pytest.mark.parametrize(
    ("text", "says"),
    [("nowhere\n", "nowhere, which .* is neither"), ("# none\n", "names no file or folder")],
)
def test_a_list_of_places_must_name_some(text: str, says: str, tmp_path: Path) -> None:
    (tmp_path / "clips.txt").write_text(text)
    with pytest.raises(UserError, match=says):
        list(manual_members(tmp_path / "clips.txt"))


def test_memory_does_not_grow_with_the_clips_of_a_shard(tmp_path: Path) -> None:
    rng, peaks = np.random.default_rng(0), []
    for count in (200, 2_000):
        members = [(f"{'long/' * 20}{i:05d}.wav", rng.bytes(1_000)) for i in range(count)]
        write_tar_gz(tmp_path / f"{count}.tar.gz", members)
        tracemalloc.start()
        assert sum(len(load()) for _, load in tar_members(tmp_path / f"{count}.tar.gz")) == (
            1_000 * count
        )
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < peaks[0] + 100_000  # kept headers would take a megabyte
