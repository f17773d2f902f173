"""The mirror's list of checksums, and `make mirror`."""

import os
import subprocess
from pathlib import Path

import pytest

from fedssl.data.fetch import mirror as module
from fedssl.data.fetch.mirror import SUMS, mirror
from fedssl.errors import UserError
from fedssl.files import sha256
from tests.unit.archives import ROOT

OLD = "a" * 64


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A mirror with two archives; a target needs one of them."""
    for name in ("toy/new.zip", "toy/old.zip"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(name)
    monkeypatch.setattr(module, "needed_archives", lambda *_, **__: [("toy", "new.zip")])
    monkeypatch.setattr(module, "_collect", lambda *_: None)
    return tmp_path


@pytest.mark.parametrize(
    "line", [f"{OLD}  toy/old.zip", f"{OLD} *toy/old.zip", f"{OLD} *./toy/old.zip"]
)
def test_a_list_that_sha256sum_wrote_is_added_to(folder: Path, line: str) -> None:
    (folder / SUMS).write_text(f"{line}\n{OLD}  toy/gone.zip\n")
    mirror(["table"], folder)
    new = sha256(folder / "toy/new.zip")
    assert (folder / SUMS).read_text() == f"{new}  toy/new.zip\n{OLD}  toy/old.zip\n"


@pytest.mark.parametrize("line", ["", "toy/old.zip", f"SHA256 (toy/old.zip) = {OLD}"])
def test_a_list_that_it_did_not_write_is_refused_and_kept(folder: Path, line: str) -> None:
    (folder / SUMS).write_text(f"{OLD}  toy/old.zip\n{line}\n")
    with pytest.raises(UserError, match=f"{SUMS}, line 2 is "):
        mirror(["table"], folder)
    assert line in (folder / SUMS).read_text()


def test_a_folder_that_cannot_be_made_is_a_mistake(folder: Path) -> None:
    (folder / "file").touch()
    with pytest.raises(UserError, match="file/mirror cannot be written"):
        mirror(["table"], folder / "file/mirror")


def make(folder: Path, *settings: str) -> subprocess.CompletedProcess[str]:
    """Run `make mirror` with a fake `fedssl` that prints its arguments, one per line."""
    command, ready = folder / "fedssl", folder / "ready"
    command.write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n')
    command.chmod(0o755)
    ready.touch()
    words = ["make", "--silent", "mirror", f"BIN={folder}", f"READY={ready}", *settings]
    unset = {key: value for key, value in os.environ.items() if key not in ("TARGET", "FOLDER")}
    return subprocess.run(words, cwd=ROOT, env=unset, capture_output=True, text=True, check=False)


def test_make_mirror_takes_a_folder_with_a_space(tmp_path: Path) -> None:
    ran = make(tmp_path, "TARGET=a b", "FOLDER=my disk/mirror")
    assert ran.stdout.splitlines() == ["mirror", "a", "b", "my disk/mirror"], ran.stderr


@pytest.mark.parametrize("settings", [(), ("TARGET=a",), ("FOLDER=b",)])
def test_make_mirror_says_what_it_needs(tmp_path: Path, settings: tuple[str, ...]) -> None:
    ran = make(tmp_path, *settings)
    assert ran.returncode == 2 and not ran.stdout
    assert "make mirror TARGET=fssuavl_table2 FOLDER=/path/to/mirror" in ran.stderr
