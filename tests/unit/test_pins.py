"""Pins: after the first fetch of an archive, only the same bytes are accepted."""

import multiprocessing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from fedssl.data.fetch.acquire import acquire
from fedssl.data.fetch.pins import DatasetArchive, pin, read_pins
from fedssl.data.fetch.verify import verified_archives
from fedssl.errors import UserError
from fedssl.files import sha256
from fedssl.typed import typed

ARCHIVE = {"file": "a.tar", "urls": ["http://127.0.0.1:9/a.tar"], "size": None, "checksum": None}
TOY = typed(DatasetArchive, {**ARCHIVE, "dataset": "toy"})


def fetch(
    root: Path,
    data: str = "data",
    mirror: str = "mirror",
    contents: UserError | None = None,
    **changes: Any,
) -> Path:
    """Fetch the toy archive from a mirror folder into a data folder, and read its contents.

    The pins are next to both folders. `contents` is the mistake that reading them finds.
    """
    entry, path, pins = {**ARCHIVE, **changes}, root / data / "a.tar", root / "pins.yaml"
    before = pins.read_bytes() if pins.exists() else None
    acquire(entry, path, dataset="toy", mirror=str(root / mirror), pins=pins, access=None)
    assert before == (pins.read_bytes() if pins.exists() else None), "only the contents decide"
    config = {"datasets": {"toy": {"archives": {"a": entry}}}, "pins": str(pins)}
    with verified_archives(config, "toy", paths={"a": str(path)}):
        if contents:
            raise contents
    return path


def mirrored(root: Path, body: bytes, mirror: str = "mirror") -> None:
    (root / mirror / "toy").mkdir(parents=True, exist_ok=True)
    (root / mirror / "toy" / "a.tar").write_bytes(body)


def test_the_first_use_pins_and_the_same_bytes_are_accepted_again(tmp_path: Path) -> None:
    mirrored(tmp_path, b"first")
    path = fetch(tmp_path)
    assert read_pins(tmp_path / "pins.yaml") == {"toy/a.tar": f"sha256:{sha256(path)}"}
    before = (tmp_path / "pins.yaml").read_bytes()
    fetch(tmp_path, data="elsewhere")
    assert (tmp_path / "pins.yaml").read_bytes() == before
    assert before.startswith(b"# SHA-256 of archives")


def test_other_bytes_later_are_refused_with_both_checksums_and_the_file(tmp_path: Path) -> None:
    mirrored(tmp_path, b"first")
    pinned = sha256(fetch(tmp_path))
    mirrored(tmp_path, b"second")
    with pytest.raises(UserError) as caught:
        fetch(tmp_path, data="elsewhere")
    found = sha256(tmp_path / "mirror/toy/a.tar")
    assert f"its sha256 is {found}, expected {pinned}, pinned in {tmp_path}/pins.yaml" in str(
        caught.value
    )
    assert f"if a wrong file was pinned, remove its line from {tmp_path}/pins.yaml" in str(
        caught.value
    )
    assert not (tmp_path / "elsewhere" / "a.tar").exists()


def test_a_file_that_was_changed_in_the_data_folder_is_refused(tmp_path: Path) -> None:
    mirrored(tmp_path, b"first")
    pinned, path = sha256(fetch(tmp_path)), tmp_path / "data/a.tar"
    path.write_bytes(b"second")
    with pytest.raises(UserError, match=f"{sha256(path)}, expected {pinned}.*remove its line"):
        fetch(tmp_path)


def test_removing_the_line_accepts_another_archive(tmp_path: Path) -> None:
    mirrored(tmp_path, b"first")
    fetch(tmp_path).write_bytes(b"second")
    (tmp_path / "pins.yaml").unlink()
    path = fetch(tmp_path)
    assert read_pins(tmp_path / "pins.yaml") == {"toy/a.tar": f"sha256:{sha256(path)}"}


def test_a_file_put_there_by_hand_is_pinned(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data/a.tar").write_bytes(b"by hand")
    fetch(tmp_path)
    assert "toy/a.tar" in read_pins(tmp_path / "pins.yaml")


@pytest.mark.parametrize(
    "changes", [{"urls": []}, {"checksum": "md5:8b04d5e3775d298e78455efc5ca404d5"}]
)
def test_users_lists_and_published_checksums_are_not_pinned(
    changes: dict[str, Any], tmp_path: Path
) -> None:
    mirrored(tmp_path, b"first")
    fetch(tmp_path, **changes)
    assert not (tmp_path / "pins.yaml").exists()


def test_a_wrong_first_archive_is_not_pinned_and_the_right_one_can_follow(tmp_path: Path) -> None:
    mirrored(tmp_path, b"wrong")
    with pytest.raises(UserError, match=r"has no images; no checksum of .*a\.tar.*delete it"):
        fetch(tmp_path, contents=UserError("a.tar has no images"))
    assert not (tmp_path / "pins.yaml").exists()
    (tmp_path / "data/a.tar").unlink()
    mirrored(tmp_path, b"right")
    path = fetch(tmp_path)
    assert path.read_bytes() == b"right"
    assert read_pins(tmp_path / "pins.yaml") == {"toy/a.tar": f"sha256:{sha256(path)}"}


def test_contents_that_fail_with_a_published_checksum_blame_no_archive(tmp_path: Path) -> None:
    mirrored(tmp_path, b"first")
    known = {"checksum": "md5:8b04d5e3775d298e78455efc5ca404d5"}
    with pytest.raises(UserError, match=r"has no images$"):
        fetch(tmp_path, contents=UserError("a.tar has no images"), **known)


def pin_one(root: Path, rank: int) -> None:
    path = root / f"{rank}"
    path.write_bytes(bytes([rank]))
    archive = replace(TOY, file=f"{rank}.tar")
    pin(archive, root / "pins.yaml", path=path)


def test_many_processes_lose_no_pin(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    with context.Pool(4) as pool:
        pool.starmap(pin_one, [(tmp_path, rank) for rank in range(24)])
    assert len(read_pins(tmp_path / "pins.yaml")) == 24


def test_of_two_that_pin_other_bytes_one_is_told(tmp_path: Path) -> None:
    for name in ("one", "other"):
        (tmp_path / name).write_text(name)
    pin(TOY, tmp_path / "pins.yaml", path=tmp_path / "one")
    with pytest.raises(UserError, match=r"and .*pins\.yaml pins sha256:"):
        pin(TOY, tmp_path / "pins.yaml", path=tmp_path / "other")


@pytest.mark.parametrize("content", ["- a", "toy/a.tar: md5:1", "toy/a.tar: 5", "{"])
def test_a_wrong_pin_file_is_named(content: str, tmp_path: Path) -> None:
    (tmp_path / "pins.yaml").write_text(content)
    with pytest.raises(UserError, match=r"pins\.yaml"):
        read_pins(tmp_path / "pins.yaml")


def test_the_file_is_plain_yaml_sorted_by_name(tmp_path: Path) -> None:
    for rank in (3, 1, 2):
        pin_one(tmp_path, rank)
    names = list(yaml.safe_load((tmp_path / "pins.yaml").read_text()))
    assert names == ["toy/1.tar", "toy/2.tar", "toy/3.tar"]
