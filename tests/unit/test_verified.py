"""Bytes of a bank that changed without a change of size are not trained or scored on."""

import json
import os
import platform
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from fedssl.data.banks import block_hashes, verified
from fedssl.data.banks.bank import FILES, Bank, open_bank, read_facts
from fedssl.errors import UserError
from fedssl.files import bytes_digest, write_text
from fedssl.settings import Modality
from tests.unit import banks
from tests.unit.archives import ROOT

DEVICES = [None, torch.device("cpu")]
BLOCK = 1000


@pytest.fixture(autouse=True)
def node(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder for temporary files of its own, and small blocks."""
    (folder := tmp_path / "node").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    monkeypatch.setattr(block_hashes, "BLOCK_BYTES", BLOCK)
    yield folder
    for thread in threading.enumerate():
        if thread.name == "verify":
            thread.join()
    verified._UNFINISHED.clear()


@pytest.fixture
def large(monkeypatch: pytest.MonkeyPatch) -> None:
    """Treat small arrays as large ones: verify them in a thread, and remember that."""
    monkeypatch.setattr(verified, "SMALL_BYTES", 0)


@pytest.fixture
def hashed(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The blocks that are hashed from now on."""
    blocks: list[int] = []
    real = verified.BlockCheck._hash

    def hash_block(self: verified.BlockCheck, block: int) -> str:
        blocks.append(block)
        return real(self, block)

    monkeypatch.setattr(verified.BlockCheck, "_hash", hash_block)
    return blocks


def change(path: Path, content: bytes) -> None:
    """Change the content of a file in place, and put its times back."""
    before = path.stat()
    assert len(content) == before.st_size and content != path.read_bytes()
    path.write_bytes(content)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def damage(path: Path, place: int = -1) -> None:
    content = bytearray(path.read_bytes())
    content[place] ^= 1
    change(path, content)


def written(folder: Path, modality: Modality = "image", count: int = 60) -> Path:
    """Write a bank of about 12 KB."""
    banks.write(
        banks.images(count, size=8) if modality == "image" else banks.clips([100] * count), folder
    )
    return folder


@pytest.mark.parametrize("kind", ["bit", "half", "shifted", "header"])
@pytest.mark.parametrize(
    ("modality", "name"), [(m, name) for m in FILES for name in FILES[m]], ids="-".join
)
def test_damage_of_the_same_size_is_found_in_every_array(
    modality: Modality, name: str, kind: str, tmp_path: Path
) -> None:
    path = written(tmp_path / "bank", modality) / name
    content = path.read_bytes()
    half = len(content) // 2
    damaged = {
        "bit": content[:-1] + bytes([content[-1] ^ 1]),
        "half": content[:half] + bytes(len(content) - half),
        "shifted": content[:128] + content[136:] + content[128:136],
        "header": bytes(half) + content[half:],
    }
    change(path, damaged[kind])
    said = rf"{name} was changed after its bank was built: block \d+ of \d+ .*of toy \(bytes \d+.*"
    with pytest.raises(UserError, match=said + r"delete bank\.json .* rerun the bank rule"):
        open_bank(tmp_path / "bank").rows.take(np.arange(60 if modality == "image" else 6000))


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("read_from", ["disk", "memory", "device", "auto"])
def test_changed_samples_are_not_read_from_anywhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, device: torch.device | None, read_from: str
) -> None:
    monkeypatch.setenv("FEDSSL_BANKS_READ_FROM", read_from)
    folder = written(tmp_path / "bank")
    assert len(open_bank(folder, device=device).rows.take(np.arange(60))) == 60
    damage(folder / "images.npy")
    opened = open_bank(folder, device=device)
    with pytest.raises(UserError, match=r"images\.npy was changed after its bank was built"):
        opened.rows.take(np.arange(60))


def test_a_copy_on_the_node_that_was_changed_is_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FEDSSL_BANKS_STAGING", str(tmp_path / "staging"))
    folder = written(tmp_path / "bank")
    open_bank(folder, device=torch.device("cpu")).rows.take(np.arange(60))
    [copy] = (tmp_path / "staging").glob("*.npy")
    damage(copy)
    with pytest.raises(UserError, match=rf"{copy.name} was changed .*; delete it, and the next"):
        open_bank(folder, device=torch.device("cpu")).rows.take(np.arange(60))


@pytest.mark.parametrize("place", ["disk", "memory"])
def test_nothing_is_published_after_a_damaged_block_was_read(
    place: str, large: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FEDSSL_BANKS_READ_FROM", place)
    folder = written(tmp_path / "bank")
    damage(folder / "images.npy", 5000)

    def job(samples: np.ndarray) -> None:
        rows = open_bank(folder, device=torch.device("cpu")).rows
        taken = rows.take(samples)
        del rows
        write_text(tmp_path / "result", str(taken.sum()))

    if place == "disk":
        job(np.arange(10))
        (tmp_path / "result").unlink()
    said = r"block 6 of 12 .*\(bytes 5000 to 5999\)"
    with pytest.raises(UserError, match=said):
        job(np.arange(20, 40))
    assert not list(tmp_path.glob("*result*")), "neither the file nor its temporary file"


def test_damage_while_a_job_runs_is_found_before_it_publishes(large: None, tmp_path: Path) -> None:
    folder = written(tmp_path / "bank")
    rows = open_bank(folder).rows
    rows.take(np.arange(60))
    write_text(tmp_path / "first", "of whole samples")
    damage(folder / "images.npy", 5000)
    write_text(tmp_path / "second", "of whole samples, too: nothing was read since")
    with pytest.raises(UserError, match=r"block 6 of 12"):
        for _ in range(2):
            rows.take(np.arange(60))
            write_text(tmp_path / "third", "of damaged samples")
    assert not (tmp_path / "third").exists()


def test_damage_that_is_mended_before_it_was_verified_is_found(
    large: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = written(tmp_path / "bank")
    whole = (folder / "images.npy").read_bytes()
    rows = open_bank(folder).rows
    rows.take(np.arange(1))
    write_text(tmp_path / "first", "so that the thread has ended")
    # The thread begins when the damage is mended.
    monkeypatch.setattr(threading.Thread, "start", lambda _: None)
    damage(folder / "images.npy", 5000)
    rows.take(np.arange(60))
    change(folder / "images.npy", whole)
    with pytest.raises(UserError, match=r"images\.npy was changed while this job read it"):
        write_text(tmp_path / "second", "of damaged samples")


def test_a_read_during_which_the_file_changes_is_repeated(
    large: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = written(tmp_path / "bank")
    path, rows = folder / "images.npy", open_bank(folder).rows
    expected = rows.take(np.arange(60))
    verified.finish_all()
    whole, read = path.read_bytes(), os.preadv
    path.write_bytes(whole[:3000] + bytes(9000))

    def mended_meanwhile(*given: object) -> int:
        done = read(*given)  # type: ignore[arg-type]
        if path.read_bytes() != whole:
            path.write_bytes(whole + path.read_bytes()[len(whole) :])
        return done

    monkeypatch.setattr(os, "preadv", mended_meanwhile)
    os.truncate(path, len(whole))
    np.testing.assert_array_equal(rows.take(np.arange(60)), expected)


def take_all(folder: Path) -> Bank:
    bank = open_bank(folder)
    bank.rows.take(np.arange(60))
    verified.finish_all()
    return bank


def test_a_node_verifies_each_block_once(large: None, hashed: list[int], tmp_path: Path) -> None:
    folder = written(tmp_path / "bank")
    open_bank(folder).rows.take(np.arange(10))
    verified.finish_all()
    assert sorted(hashed) == [0, 1, 2], "only what was read"
    take_all(folder)
    assert sorted(hashed) == list(range(12)), "only what was not verified before"
    take_all(folder)
    assert len(hashed) == 12
    code = (
        "import sys; from pathlib import Path; from tests.unit import test_verified as t;"
        "t.verified.SMALL_BYTES = 0; t.take_all(Path(sys.argv[1]));"
        "print(t.verified.bytes_verified())"
    )
    environment = {"PYTHONPATH": f"{ROOT / 'src'}:{ROOT}"}
    command = [sys.executable, "-c", code, str(folder)]
    assert subprocess.check_output(command, env=environment, text=True).strip() == "0"
    os.utime(folder / "images.npy", (1e9, 1e9))
    take_all(folder)
    assert sorted(hashed) == sorted([*range(12)] * 2), "it has another state"
    marks = folder / f".verified-{os.getuid()}"
    assert len(list(marks.iterdir())) == 1, "marks of earlier states are removed"


def test_a_damaged_block_is_not_marked(large: None, hashed: list[int], tmp_path: Path) -> None:
    folder = written(tmp_path / "bank")
    damage(folder / "images.npy", 5000)
    for attempt in (1, 2):
        with pytest.raises(UserError, match="block 6 of 12"):
            take_all(folder)
        verified._UNFINISHED.clear()
        assert hashed.count(5) == attempt


@pytest.mark.parametrize("change", ["host", "user", "shared", "link"])
def test_marks_of_others_are_not_believed(
    change: str,
    large: None,
    hashed: list[int],
    tmp_path: Path,
    node: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    folder = written(tmp_path / "bank")
    take_all(folder)
    assert len(hashed) == 12
    marks = folder / f".verified-{os.getuid()}"
    if change == "host":
        monkeypatch.setattr(platform, "node", lambda: "another-host")
    elif change == "user":  # their folder has the name that ours has
        monkeypatch.setattr(os, "getuid", lambda: 12345)
        marks.rename(folder / ".verified-12345")
    elif change == "shared":
        marks.chmod(0o770)
    else:
        marks.rename(tmp_path / "elsewhere")
        marks.symlink_to(tmp_path / "elsewhere")
    take_all(folder)
    assert sorted(set(hashed[12:])) == list(range(12))
    assert bool(list(node.rglob("images.npy.*"))) == (change in ("shared", "link"))


def test_marks_go_to_the_temporary_folder_if_the_bank_cannot_hold_them(
    large: None, hashed: list[int], tmp_path: Path, node: Path
) -> None:
    folder = written(tmp_path / "bank")
    (folder / f".verified-{os.getuid()}").write_text("in the way")
    for _ in range(2):
        take_all(folder)
    assert len(hashed) == 12 and len(list(node.rglob("images.npy.*"))) == 1


def test_small_arrays_leave_no_marks(tmp_path: Path, node: Path) -> None:
    folder = written(tmp_path / "bank")
    take_all(folder)
    assert not list(folder.glob(".*")) and not list(node.iterdir())


def test_the_blocks_in_bank_json_are_those_of_the_files(tmp_path: Path) -> None:
    folder = written(tmp_path / "bank", "audio")
    facts = read_facts(folder)
    assert facts["blocks"]["bytes"] == BLOCK
    assert facts["blocks"]["sha256"].keys() == facts["files"].keys() == {*FILES["audio"]}
    for name, found in facts["blocks"]["sha256"].items():
        content = (folder / name).read_bytes()
        starts = range(0, len(content), BLOCK)
        assert found == [bytes_digest(content[start : start + BLOCK]) for start in starts]
        assert facts["files"][name]["sha256"] == bytes_digest(content)


def test_the_size_of_blocks_does_not_change_the_digest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = open_bank(written(tmp_path / "one")).digest
    monkeypatch.setattr(block_hashes, "BLOCK_BYTES", 777)
    assert open_bank(written(tmp_path / "two")).digest == one


def test_a_bank_without_blocks_is_verified_whole(tmp_path: Path) -> None:
    folder = written(tmp_path / "bank")
    facts = read_facts(folder)
    del facts["blocks"]
    (folder / "bank.json").write_text(json.dumps(facts))
    assert len(take_all(folder)) == 60
    damage(folder / "images.npy")
    with pytest.raises(UserError, match=r"block 1 of 1 .*\(bytes 0 to 11647\)"):
        take_all(folder)


def test_a_crop_of_a_damaged_block_is_not_used_and_others_are(tmp_path: Path) -> None:
    folder = written(tmp_path / "bank", "audio")
    damage(folder / "waveforms.npy", 7500)
    rows = open_bank(folder).rows
    one = np.zeros(1, np.int64)
    assert rows.frames(one + 1000, one, one + 100, length=100).shape == (1, 100)
    with pytest.raises(UserError, match=r"waveforms\.npy .*block 8 of 13 .*\(bytes 7000 to 7999\)"):
        rows.frames(one + 3600, one, one + 100, length=100)
