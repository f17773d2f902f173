"""Bytes of a bank that changed without a change of size are not trained or scored on."""

import os
import tempfile
from pathlib import Path

import numpy as np
import pytest
import torch

from fedssl.data.banks import verified
from fedssl.data.banks.bank import open_bank
from fedssl.data.banks.verified import verify
from fedssl.errors import UserError
from fedssl.files import sha256
from tests.unit import banks

DEVICES = [None, torch.device("cpu")]


@pytest.fixture(autouse=True)
def node(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder for temporary files of its own, and marks also for small files."""
    (folder := tmp_path / "node").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    monkeypatch.setattr(verified, "_REMEMBERED_BYTES", 0)
    return folder


def damage(path: Path) -> None:
    """Change one byte, and put the times of the file back."""
    before = path.stat()
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


@pytest.mark.parametrize("name", ["labels.npy", "index.parquet", "offsets.npy"])
def test_a_changed_table_is_not_opened(tmp_path: Path, name: str) -> None:
    banks.write(banks.clips(), tmp_path / "bank")
    open_bank(tmp_path / "bank")
    damage(tmp_path / "bank" / name)
    with pytest.raises(UserError, match=rf"{name} was changed after its bank was built.*rerun"):
        open_bank(tmp_path / "bank")


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("read_from", ["disk", "memory", "device", "auto"])
def test_changed_samples_are_not_read_from_anywhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, device: torch.device | None, read_from: str
) -> None:
    monkeypatch.setenv("FEDSSL_BANKS_READ_FROM", read_from)
    banks.write(banks.images(), tmp_path / "bank")
    whole = open_bank(tmp_path / "bank", device=device).rows.take(np.arange(2))
    assert len(whole) == 2
    damage(tmp_path / "bank/images.npy")
    opened = open_bank(tmp_path / "bank", device=device)
    with pytest.raises(UserError, match=r"images\.npy was changed after its bank was built"):
        opened.rows.take(np.arange(2))


def test_a_copy_on_the_node_that_was_changed_is_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FEDSSL_BANKS_STAGING", str(tmp_path / "staging"))
    banks.write(banks.images(), tmp_path / "bank")
    open_bank(tmp_path / "bank", device=torch.device("cpu")).rows.take(np.arange(2))
    [copy] = (tmp_path / "staging").glob("*.npy")
    damage(copy)
    with pytest.raises(UserError, match=r"was changed after its bank was built"):
        open_bank(tmp_path / "bank", device=torch.device("cpu")).rows.take(np.arange(2))


@pytest.fixture
def hashed(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The files that are hashed from now on."""
    files: list[Path] = []
    monkeypatch.setattr(verified, "sha256", lambda file: files.append(file) or sha256(file))
    return files


def test_a_node_hashes_a_file_once_for_each_of_its_states(
    tmp_path: Path, hashed: list[Path]
) -> None:
    (path := tmp_path / "array").write_bytes(b"some bytes")
    for _ in range(3):
        verify(path, sha256(path))
    assert len(hashed) == 1
    (copy := tmp_path / "copy").write_bytes(b"some bytes")
    copy.replace(path)
    verify(path, sha256(path))
    assert len(hashed) == 2, "another file of the same name"
    for _ in range(2):
        with pytest.raises(UserError):
            verify(path, "0" * 64)
    assert len(hashed) == 4, "what does not agree is hashed again: it may be mended"


def test_marks_in_a_folder_of_another_user_are_not_believed(
    tmp_path: Path, hashed: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    (path := tmp_path / "array").write_bytes(b"some bytes")
    # The folder is made by this user, and so belongs to another than the one who asks.
    monkeypatch.setattr(os, "getuid", lambda: 12345)
    for _ in range(2):
        verify(path, sha256(path))
    assert len(hashed) == 2
