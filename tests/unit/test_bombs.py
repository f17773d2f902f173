"""Small archives that claim or hold more than fits into memory are refused."""

import gzip
import io
import os
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path

import h5py
import numpy as np
import pytest

from fedssl.data.banks.decoding import decode_members
from fedssl.data.fetch.manual_files import manual_files
from fedssl.data.readers import mnist, vggsound
from fedssl.data.readers.archive_members import MAX_BYTES, open_zip, read_zip_member, tar_members
from fedssl.data.readers.recordings import open_recordings
from fedssl.data.samples import BadMember, UnreadableError
from fedssl.errors import UserError
from tests.unit.fuzzing import limited
from tests.unit.nasties import silent_flac
from tests.unit.sounds import CLIP, CLIPS, annotated, filled

MEGABYTE = bytes(1 << 20)


@pytest.fixture(autouse=True)
def limits() -> Iterator[None]:
    np.zeros(9) @ np.zeros(9)  # numeric libraries take their own memory first
    with limited():
        yield


def write_big_gzip(path: Path, start: bytes, megabytes: int) -> Path:
    hundred = gzip.compress(bytes(100 << 20), compresslevel=1)
    path.write_bytes(gzip.compress(start) + megabytes // 100 * hundred)
    return path


def deflated_zeros(megabytes: int) -> bytes:
    """Return a raw deflate stream of zeros that repeats one block."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    block = packer.compress(MEGABYTE) + packer.flush(zlib.Z_FULL_FLUSH)
    return megabytes * block + packer.flush()


@pytest.mark.parametrize("claimed", [2, 40_000])
def test_an_idx_file_of_gigabytes(claimed: int, tmp_path: Path) -> None:
    header = b"\0\0\x08\x03" + b"".join(n.to_bytes(4, "big") for n in (claimed, claimed, 28))
    path = write_big_gzip(tmp_path / "a.gz", header, 1_500)
    archives = dict.fromkeys(("train_images", "train_labels"), path)
    with pytest.raises(UserError, match=r"a\.gz (holds more|claims a shape)"):
        list(mnist.read(archives))


@pytest.mark.parametrize("kind", [tarfile.REGTYPE, tarfile.XHDTYPE, tarfile.GNUTYPE_LONGNAME])
def test_a_tar_member_or_header_of_gigabytes(kind: bytes, tmp_path: Path) -> None:
    entry = tarfile.TarInfo("a.wav")
    entry.type, entry.size = kind, 1_500 << 20
    path = write_big_gzip(tmp_path / "a.tar.gz", entry.tobuf(), 1_500)
    with pytest.raises((UserError, UnreadableError), match=r"1572864000 bytes"):
        for _, read in tar_members(path):
            read()


@pytest.mark.parametrize("claimed", [1_500 << 20, MAX_BYTES, 3])
def test_a_zip_member_of_gigabytes_whatever_it_claims(claimed: int, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("a.wav", deflated_zeros(1_500))
        entry = archive.getinfo("a.wav")
        entry.compress_type, entry.file_size = zipfile.ZIP_DEFLATED, claimed
    with open_zip(tmp_path / "a.zip") as archive, pytest.raises(UnreadableError):
        read_zip_member(archive, "a.wav")


def test_a_flac_of_silence_that_lasts_hours(tmp_path: Path) -> None:
    data = silent_flac(4_000)
    assert len(data) < MAX_BYTES // 100
    archives = annotated(tmp_path, filled(tmp_path, {f"{CLIPS[0]}.flac": data}))
    bad = next(decode_members(vggsound.read(archives)))
    assert isinstance(bad, BadMember) and "it lasts 66.67 minutes" in bad.reason


def test_a_pipe_among_the_clips_is_passed_over(tmp_path: Path) -> None:
    folder = filled(tmp_path, {f"{CLIPS[0]}.wav": CLIP})
    os.mkfifo(folder / f"{CLIPS[1]}.wav")
    (folder / f"{CLIPS[2]}.wav").symlink_to("/dev/zero")
    assert [path.name for path in manual_files(folder)] == [f"{CLIPS[0]}.wav"]


@pytest.mark.parametrize("how", ["external", "link", "virtual"])
def test_an_hdf5_entry_that_points_to_another_file_is_bad(how: str, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.mkdir()
    with h5py.File(secret / "b.h5", "w") as file:
        file["P01"] = np.ones(4_000, np.float32)
    with h5py.File(tmp_path / "a.h5", "w") as file:
        if how == "external":
            raw = [(str(secret / "b.h5"), 0, 400)]
            file.create_dataset("P01", (100,), np.float32, external=raw)
        elif how == "link":
            file["P01"] = h5py.ExternalLink(str(secret / "b.h5"), "P01")
        else:
            layout = h5py.VirtualLayout((4_000,), np.float32)
            layout[:] = h5py.VirtualSource(str(secret / "b.h5"), "P01", (4_000,))
            file.create_virtual_dataset("P01", layout)
    with (
        open_recordings(tmp_path / "a.h5", rate=24_000) as recordings,
        pytest.raises(UnreadableError, match="points to another file"),
    ):
        recordings.segment("P01", 0, 50)


def test_a_flipped_bit_in_a_stored_block_breaks_the_checksum(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        entry = tarfile.TarInfo(f"{CLIPS[0]}.wav")
        entry.size = len(CLIP)
        archive.addfile(entry, io.BytesIO(CLIP))
    packed = bytearray(gzip.compress(buffer.getvalue(), compresslevel=0))
    packed[1_500] ^= 1
    (tmp_path / "a.tar.gz").write_bytes(packed)
    with pytest.raises(UserError, match=r"a\.tar\.gz is not a whole tar\.gz.*CRC"):
        list(decode_members(vggsound.read(annotated(tmp_path, tmp_path / "a.tar.gz"))))
