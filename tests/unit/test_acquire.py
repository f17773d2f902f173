"""Acquiring archives: the result is a verified file, or an error that says what to do."""

import errno
import hashlib
import json
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from fedssl.data.fetch.acquire import acquire
from fedssl.errors import UserError
from tests.unit.archives import ROOT
from tests.unit.servers import BODY, FILE, PACKED, Server

SHA256 = f"sha256:{hashlib.sha256(BODY).hexdigest()}"


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server()
    thread = threading.Thread(target=server.http.serve_forever, args=(0.02,))
    thread.start()
    yield server
    server.http.shutdown()
    server.http.server_close()
    thread.join()


def archive(*urls: str, **changes: Any) -> dict[str, Any]:
    return {"file": FILE, "urls": list(urls), "size": len(BODY), "checksum": SHA256, **changes}


def fetch(entry: Mapping[str, Any], folder: Path, **changes: Any) -> Path:
    settings = {"dataset": "toy", "mirror": None, "access": None}
    settings["pins"] = folder.parent / f"{folder.name}.pins.yaml"
    acquire(entry, folder / FILE, **{**settings, **changes})
    return folder / FILE


def visible(folder: Path) -> list[str]:
    """Return the visible files in `folder` and any partial files."""
    names = (path.name for path in folder.iterdir())
    return sorted(name for name in names if not name.endswith(".lock"))


def mirrored(folder: Path, body: bytes = BODY) -> str:
    (folder / "toy").mkdir(parents=True)
    (folder / "toy" / FILE).write_bytes(body)
    return str(folder)


# What works


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


# What does not


@pytest.mark.parametrize(
    ("kind", "says"),
    [
        ("gone", "the server answers 404 Not Found"),
        ("page", "it is a web page"),
        ("cut", "the transfer failed"),
        ("odd", "the transfer failed"),
        ("other", r"its sha256 is [0-9a-f]{64}, expected"),
    ],
)
def test_a_bad_answer_is_explained_and_leaves_nothing(
    kind: str, says: str, server: Server, tmp_path: Path
) -> None:
    with pytest.raises(UserError, match=says) as error:
        fetch(archive(server.address(kind)), tmp_path)
    assert visible(tmp_path) == []
    message = str(error.value)
    expected = ("toy", FILE, f"{len(BODY)} bytes", SHA256, server.address(kind))
    assert all(part in message for part in expected)
    assert f"put it at {tmp_path / FILE}" in message
    assert f"<mirror>/toy/{FILE}" in message


def test_nobody_answering_is_explained(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="the transfer failed"):
        fetch(archive(f"http://127.0.0.1:9/{FILE}"), tmp_path)


def test_an_empty_file_is_never_an_archive(tmp_path: Path) -> None:
    mirror = mirrored(tmp_path / "mirror", b"")
    with pytest.raises(UserError, match="it has 0 bytes, expected an archive of unknown size"):
        fetch(archive(size=None, checksum=None), tmp_path / "data", mirror=mirror)


@pytest.mark.parametrize(
    ("body", "says"),
    [(BODY[:-1], f"it has {len(BODY) - 1} bytes, expected {len(BODY)}"), (b"", "it has 0 bytes")],
)
def test_a_mirror_with_a_cut_file_is_explained(body: bytes, says: str, tmp_path: Path) -> None:
    mirror = mirrored(tmp_path / "mirror", body)
    with pytest.raises(UserError, match=says):
        fetch(archive(), tmp_path / "data", mirror=mirror)
    assert visible(tmp_path / "data") == []


def test_a_mirror_without_the_file_is_explained(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=rf"{tmp_path}/nowhere/toy/{FILE}: no such file"):
        fetch(archive(), tmp_path / "data", mirror=str(tmp_path / "nowhere"))


def test_a_zip_without_checksum_must_at_least_be_a_whole_zip(tmp_path: Path) -> None:
    mirror = mirrored(tmp_path / "mirror")
    Path(mirror, "toy", FILE).rename(Path(mirror, "toy", "toy.zip"))
    with pytest.raises(UserError, match="not a whole zip archive"):
        entry = archive(file="toy.zip", size=None, checksum=None)
        fetch(entry, tmp_path / "data", mirror=mirror)


@pytest.mark.parametrize(
    ("file", "body", "says"),
    [
        ("a.csv", b"<!-- squid -->\n<html>denied</html>", "it is a web page"),
        ("a.csv", b"\xef\xbb\xbf\n<!DOCTYPE html>", "it is a web page"),
        ("a.csv", b'{"error": "quota exceeded"}', "it is a message in JSON"),
        ("a.tar.gz", b"Sign in first", "not a whole gzip file .*Not a gzipped"),
        ("a.tar.gz", PACKED[:-9], "not a whole gzip file .*ended before"),
        ("a.gz", PACKED[:900] + b"\0" + PACKED[901:], "not a whole gzip file"),
        ("a.tgz", PACKED[:-8] + bytes(8), "not a whole gzip file .*CRC"),
    ],
)
def test_a_file_without_checksum_must_at_least_look_like_one_and_be_whole(
    file: str, body: bytes, says: str, tmp_path: Path
) -> None:
    entry = {"file": file, "urls": ["http://127.0.0.1:9/a"], "size": None, "checksum": None}
    (tmp_path / "mirror/toy").mkdir(parents=True)
    (tmp_path / "mirror/toy" / file).write_bytes(body)
    settings = {"dataset": "toy", "access": None}
    settings |= {"mirror": str(tmp_path / "mirror"), "pins": tmp_path / "pins.yaml"}
    with pytest.raises(UserError, match=says):
        acquire(entry, tmp_path / "data" / file, **settings)
    assert visible(tmp_path / "data") == [] and not (tmp_path / "pins.yaml").exists()


def test_a_restricted_set_says_how_to_get_access(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"write to the owners[\s\S]*put it at"):
        fetch(archive(), tmp_path, access="write to the owners")


def test_a_wrong_file_already_there_is_left_for_the_user_to_judge(tmp_path: Path) -> None:
    (tmp_path / FILE).write_bytes(b"something of the user's")
    with pytest.raises(UserError, match=r"23 bytes, expected .*delete it"):
        fetch(archive(), tmp_path, mirror=mirrored(tmp_path / "mirror"))
    assert (tmp_path / FILE).read_bytes() == b"something of the user's"


def test_a_folder_in_the_archives_place_is_named(tmp_path: Path) -> None:
    (tmp_path / FILE).mkdir()
    with pytest.raises(UserError, match=rf"{tmp_path / FILE} cannot be used \(Is a directory\)"):
        fetch(archive(), tmp_path)


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("a file")
    with pytest.raises(UserError, match=rf"{tmp_path}/data cannot be used \("):
        fetch(archive(), tmp_path / "data")


def test_a_full_disk_is_named(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    full_disk = rf"{tmp_path / FILE} cannot be used \(No space left on device\)"
    with pytest.raises(UserError, match=full_disk):
        fetch(archive(server.address("ok")), tmp_path)
    assert visible(tmp_path) == []


def test_pins_that_cannot_be_written_are_named(server: Server, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=rf"{tmp_path} cannot be used \(Is a directory\)"):
        entry = archive(server.address("packed"), size=None, checksum=None)
        fetch(entry, tmp_path / "data", pins=tmp_path)


# Several processes


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
