"""Acquiring archives: the result is a verified file, or an error that says what to do."""

import hashlib
import json
import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.unit.acquiring import archive, fetch, mirrored, visible
from tests.unit.archives import ROOT
from tests.unit.servers import BODY, FILE, PACKED, Server


def test_an_address_gives_the_file(server: Server, tmp_path: Path) -> None:
    path = fetch(archive(server.address("ok")), tmp_path / "new" / "folder")
    assert path.read_bytes() == BODY
    assert visible(path.parent) == [FILE]


@pytest.mark.parametrize("scheme", ["", "file://"])
def test_a_mirror_folder_comes_before_the_addresses(
    scheme: str, server: Server, tmp_path: Path
) -> None:
    mirror = scheme + mirrored(tmp_path / "mirror")
    path = fetch(archive(server.address("ok")), tmp_path / "data", mirror=mirror)
    assert path.read_bytes() == BODY
    assert server.requests == []


@pytest.mark.parametrize("ending", ["", "/"])
def test_a_mirror_can_be_an_address(ending: str, server: Server, tmp_path: Path) -> None:
    fetch(archive(), tmp_path, mirror=f"{server.url}/ok{ending}")
    assert server.requests == [f"/ok/toy/{FILE}"]


def test_a_read_only_mirror_gives_a_writable_copy(tmp_path: Path) -> None:
    mirror = mirrored(tmp_path / "mirror")
    source = Path(mirror, "toy", FILE)
    source.chmod(0o400)
    path = fetch(archive(), tmp_path / "data", mirror=mirror)
    assert path.stat().st_ino != source.stat().st_ino
    assert path.stat().st_mode & 0o200


def test_a_server_that_offers_to_encode_a_gz_does_not_change_it(
    server: Server, tmp_path: Path
) -> None:
    entry = archive(server.address("packed"), size=None, checksum=None)
    assert fetch(entry, tmp_path).read_bytes() == PACKED


def test_md5_is_understood(server: Server, tmp_path: Path) -> None:
    checksum = f"md5:{hashlib.md5(BODY).hexdigest()}"
    fetch(archive(server.address("ok"), checksum=checksum), tmp_path)


@pytest.mark.parametrize("first", ["gone", "page", "cut", "other"])
def test_the_next_source_makes_good_and_the_log_says_why(
    first: str, server: Server, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        path = fetch(archive(server.address(first), server.address("ok")), tmp_path)
    assert path.read_bytes() == BODY
    assert server.address(first) in caplog.text


def test_a_file_already_there_costs_nothing(server: Server, tmp_path: Path) -> None:
    (tmp_path / FILE).write_bytes(BODY)
    before = (tmp_path / FILE).stat()
    fetch(archive(server.address("ok")), tmp_path)
    assert (tmp_path / FILE).stat().st_mtime_ns == before.st_mtime_ns
    assert server.requests == []
    assert list(tmp_path.iterdir()) == [tmp_path / FILE]  # so the folder may be read-only


def test_progress_is_shown_on_a_terminal_only(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    fetch(archive(server.address("ok")), tmp_path / "a")
    assert capsys.readouterr().err == ""
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    fetch(archive(server.address("ok")), tmp_path / "b")
    assert "100%" in capsys.readouterr().err


def process(entry: Mapping[str, Any], folder: Path) -> subprocess.Popen[bytes]:
    code = (
        "import json, sys; from pathlib import Path; "
        "from fedssl.data.fetch.acquire import acquire; "
        "acquire(json.loads(sys.argv[1]), Path(sys.argv[2]), dataset='toy', mirror=None, "
        "pins=Path(sys.argv[2] + '.pins'), access=None)"
    )
    command = [sys.executable, "-c", code, json.dumps(entry), str(folder / FILE)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    return subprocess.Popen(command, env=environment, stderr=subprocess.PIPE)


def part_bytes(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.glob(".*.part"))


def test_two_processes_fetch_once(server: Server, tmp_path: Path) -> None:
    both = [process(archive(server.address("slow")), tmp_path) for _ in range(2)]
    errors = [one.communicate()[1] for one in both]
    assert [one.returncode for one in both] == [0, 0], errors
    assert len(server.requests) == 1
    assert (tmp_path / FILE).read_bytes() == BODY
    assert visible(tmp_path) == [FILE]


def test_a_killed_download_leaves_no_file_and_blocks_nobody(server: Server, tmp_path: Path) -> None:
    with process(archive(server.address("slow")), tmp_path) as victim:
        end = time.monotonic() + 20
        while part_bytes(tmp_path) == 0 and time.monotonic() < end:
            time.sleep(0.01)
        victim.send_signal(signal.SIGKILL)
    assert not (tmp_path / FILE).exists()
    assert part_bytes(tmp_path) > 0
    assert fetch(archive(server.address("ok")), tmp_path).read_bytes() == BODY
    assert visible(tmp_path) == [FILE]
