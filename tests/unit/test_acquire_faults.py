"""Archives that cannot be had: every cause is explained, and nothing half-fetched stays."""

import errno
import os
from pathlib import Path
from typing import Any

import pytest

from fedssl.data.fetch.acquire import acquire
from fedssl.errors import UserError
from tests.unit.acquiring import SHA256, archive, fetch, mirrored, visible
from tests.unit.servers import BODY, FILE, PACKED, Server


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
    with pytest.raises(UserError, match=rf"{tmp_path} cannot be read \(Is a directory\)"):
        entry = archive(server.address("packed"), size=None, checksum=None)
        fetch(entry, tmp_path / "data", pins=tmp_path)
