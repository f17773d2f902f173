"""Copies of banks on a node: made once, verified, and left out where they cannot be made."""

import os
import resource
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from fedssl.data.banks.block_hashes import ArrayHashes
from fedssl.data.banks.staging import staged
from fedssl.errors import UserError
from fedssl.files import bytes_digest, sha256
from tests.unit.archives import ROOT


@pytest.fixture
def array(tmp_path: Path) -> Path:
    """Return a file that was written some time ago."""
    path = tmp_path / "shared" / "images.npy"
    path.parent.mkdir()
    np.save(path, np.arange(50_000))
    os.utime(path, (1e9, 1e9 + 0.5))
    return path


def hashes(array: Path, block_bytes: int = 100_000) -> ArrayHashes:
    content = array.read_bytes()
    starts = range(0, len(content), block_bytes)
    blocks = tuple(bytes_digest(content[start : start + block_bytes]) for start in starts)
    return ArrayHashes("toy", len(content), sha256(array), block_bytes, blocks)


def stage(array: Path) -> Path:
    return staged(array, array.parents[1] / "node", hashes(array))[0]


def test_later_jobs_use_the_copy_of_the_first(array: Path) -> None:
    copy = stage(array)
    assert copy != array and copy.read_bytes() == array.read_bytes()
    inode = copy.stat().st_ino
    assert stage(array) == copy and copy.stat().st_ino == inode


@pytest.mark.parametrize("damage", ["flipped", "cut", "older"])
def test_a_copy_that_was_changed_is_made_again(damage: str, array: Path) -> None:
    copy = stage(array)
    content = bytearray(copy.read_bytes())
    content[2000] ^= 1
    if damage == "older":
        os.utime(array, (2e9, 2e9))
    copy.write_bytes(content[:-1] if damage == "cut" else content)
    assert stage(array).read_bytes() == array.read_bytes()


def test_a_copy_that_was_killed_is_made_again(array: Path) -> None:
    copy = stage(array)
    copy.rename(copy.with_suffix(".part"))
    assert stage(array).read_bytes() == array.read_bytes()
    assert not copy.with_suffix(".part").exists()


def test_a_damaged_bank_is_refused(array: Path) -> None:
    expected = hashes(array)
    content = bytearray(array.read_bytes())
    content[200_000] ^= 1
    array.write_bytes(content)
    node = array.parents[1] / "node"
    said = r"images\.npy was changed .*block 3 of 5 .* of toy \(bytes 200000 to 299999\).*rerun the"
    with pytest.raises(UserError, match=said):
        staged(array, node, expected)
    assert [path.suffix for path in node.iterdir()] == [".lock"]


def test_a_bank_is_read_where_it_is_if_there_is_no_room(
    array: Path, caplog: pytest.LogCaptureFixture
) -> None:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, before[1]))
    try:
        assert stage(array) == array
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "images.npy is read where it is: no copy in" in caplog.text
    assert "File too large" in caplog.text
    assert [path.suffix for path in (array.parents[1] / "node").iterdir()] == [".lock"]


def test_a_bank_is_read_where_it_is_if_the_folder_cannot_be_made(
    array: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (array.parents[1] / "node").write_text("a file")
    assert stage(array) == array
    assert "no copy in" in caplog.text


STAGE = """
import logging, sys, time
from pathlib import Path
from fedssl.data.banks import staging
from fedssl.data.banks.block_hashes import ArrayHashes
logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stdout)
copy = staging._copy
def slowly(*given, **options):
    time.sleep(0.5)
    copy(*given, **options)
staging._copy = slowly
start = float(sys.argv[4])
time.sleep(max(0.0, start - time.time()))
path, checksum = Path(sys.argv[1]), sys.argv[3]
hashes = ArrayHashes("toy", path.stat().st_size, checksum, path.stat().st_size, (checksum,))
print(staging.staged(path, Path(sys.argv[2]), hashes)[0])
"""


def test_two_jobs_at_once_copy_once(array: Path) -> None:
    node, start = array.parents[1] / "node", time.time() + 1.5
    command = [sys.executable, "-c", STAGE, array, node, sha256(array), str(start)]
    environment = {"PYTHONPATH": str(ROOT / "src")}
    jobs = [
        subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    said = [job.communicate()[0].splitlines() for job in jobs]
    assert sorted(len(lines) for lines in said) == [1, 2]
    assert {lines[-1] for lines in said} == {f"{node / sha256(array)}.npy"}
