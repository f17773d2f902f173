"""What is of the wrong kind in a results folder is refused in a plan, in one sentence."""

import os
import shutil
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from fedssl.errors import UserError
from fedssl.grid.misplaced import check_kinds

FILES = [
    r"r/tables/(?:a|b)\.csv",
    r"r/pretrain/(?:simclr|byol)/seed(?:0|1)/model\.safetensors",
    r"r/cells\.csv",
    r"r/archives/(?:esc10)/(?:.+)",
    r"data/x\.zip",
]
FOLDERS = ["r/pretrain/(?:simclr|byol)/seed(?:0|1)/milestones"]
MODEL = "pretrain/simclr/seed0/model.safetensors"


@pytest.fixture
def results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A results folder with a file of each kind, and with what no job writes."""
    monkeypatch.chdir(tmp_path)
    state = "state/pretrain/abc/round1.json"
    kept = "pretrain/simclr/seed0/milestones/round1.safetensors"
    for name in ("tables/a.csv", MODEL, kept, "cells.csv", state, "notes/mine"):
        path = Path("r", name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("x")
    return Path("r")


def check() -> None:
    check_kinds("r", FILES, FOLDERS)


def refused() -> str:
    with pytest.raises(UserError) as error:
        check()
    return str(error.value)


def file(path: Path) -> None:
    path.write_text("x")


def full_folder(path: Path) -> None:
    path.mkdir()
    (path / "mine").write_text("x")


def link(path: Path) -> None:
    path.symlink_to("/scratch/gone")


def sock(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as opened:
        opened.bind(str(path))


def test_without_results_and_with_whole_ones_nothing_is_wrong(results: Path) -> None:
    check()
    check_kinds("elsewhere", FILES, FOLDERS)


@pytest.mark.parametrize("name", ["tables", "pretrain", "pretrain/simclr", "state"])
@pytest.mark.parametrize("way", [file, link, os.mkfifo])
def test_what_is_in_place_of_a_folder_is_named(
    results: Path, name: str, way: Callable[[Path], None]
) -> None:
    (results / name).rename("aside")
    way(results / name)
    said = refused()
    assert said.startswith(f"r/{name} is ")
    assert ("a folder belongs there" in said) == (way is file)


@pytest.mark.parametrize("name", ["tables/a.csv", MODEL, "cells.csv"])
@pytest.mark.parametrize(
    ("way", "words"),
    [
        (full_folder, "is a folder, but a file belongs there; move it away"),
        (link, "is a link to /scratch/gone, which cannot be read"),
        (os.mkfifo, "is a named pipe, but a file belongs there; remove it"),
        (sock, "is a socket, but a file belongs there; remove it"),
    ],
)
def test_what_is_in_place_of_a_file_is_named(
    results: Path, name: str, way: Callable[[Path], None], words: str
) -> None:
    (results / name).unlink()
    way(results / name)
    assert refused().startswith(f"r/{name} {words}")


@pytest.mark.parametrize("folder", ["state/pretrain/abc", "pretrain/simclr/seed0/milestones"])
def test_a_pipe_is_named_also_among_what_no_rule_names(results: Path, folder: str) -> None:
    os.mkfifo(results / folder / "round2.safetensors")
    assert refused().startswith(f"r/{folder}/round2.safetensors is a named pipe")


def test_a_link_to_a_whole_folder_is_followed(results: Path) -> None:
    (results / "pretrain").rename("scratch")
    (results / "pretrain").symlink_to(Path("scratch").absolute())
    check()
    (results / MODEL).unlink()
    os.mkfifo(results / MODEL)
    assert "is a named pipe" in refused()


@pytest.mark.parametrize("name", ["tables", MODEL])
def test_a_link_to_itself_is_named(results: Path, name: str) -> None:
    (results / name).rename("aside")
    (results / name).symlink_to(Path(name).name)
    assert refused().startswith(f"r/{name} is a link to {Path(name).name}, which cannot be read")


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become another user")
def test_a_link_into_a_closed_folder_is_named(results: Path, tmp_path: Path) -> None:
    (tmp_path / "closed").mkdir(mode=0o700)
    (results / MODEL).rename("closed/model")
    (results / MODEL).symlink_to(Path("closed/model").absolute())
    check()
    for above in (tmp_path, *tmp_path.parents[:3]):  # pytest closes those that it makes
        above.chmod(above.stat().st_mode | 0o055)
    os.setegid(65534)
    os.seteuid(65534)
    try:
        assert "model, which cannot be read" in refused()
    finally:
        os.seteuid(0)
        os.setegid(0)


def test_a_link_that_leads_back_is_not_followed_for_ever(results: Path) -> None:
    (results / "state/pretrain/abc/up").symlink_to(results.absolute())
    check()


def test_what_a_job_removes_meanwhile_is_no_error(
    results: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scan = os.scandir

    def late(folder: Path | int) -> object:
        if isinstance(folder, Path) and folder.name == "abc":
            shutil.rmtree(folder)
        return scan(folder)

    monkeypatch.setattr(os, "scandir", late)
    check()
    assert not (results / "state/pretrain/abc").exists()


def test_an_empty_folder_and_what_no_job_writes_are_passed_over(results: Path) -> None:
    (results / "tables/a.csv").unlink()
    (results / "tables/a.csv").mkdir()
    link(results / "notes/gone")
    (results / "pretrain/README.md").write_text("mine")
    (results / "pretrain/simclr/Thumbs.db").write_text("")
    (results / "archives/esc10/clips").mkdir(parents=True)
    (results / "archives/esc10/clips/a.wav").write_text("x")
    link(results / "archives/esc10/esc10.zip")
    link(results / "gone")
    link(results / "tables/.hidden.csv")
    check()
