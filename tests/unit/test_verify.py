"""Archives are verified again before they are read into a bank, whatever their source."""

from pathlib import Path
from typing import Any

import pytest

from fedssl.data.fetch.pins import read_pins
from fedssl.data.fetch.verify import verified_archives
from fedssl.errors import UserError
from fedssl.files import sha256

URL = "http://127.0.0.1:9/a"


def archive(file: str, **changes: Any) -> dict[str, Any]:
    return {"file": file, "urls": [URL], "size": None, "checksum": None, **changes}


def verify(folder: Path, datasets: dict[str, Any], *, dataset: str = "toy") -> None:
    """Verify the archives a.csv and b.csv in a folder, if the dataset declares them."""
    config = {"datasets": datasets, "pins": f"{folder}/pins.yaml"}
    paths = {key: f"{folder}/{key}.csv" for key in datasets[dataset].get("archives", {})}
    with verified_archives(config, dataset, paths=paths):
        pass


def test_what_was_put_there_by_hand_is_pinned_and_from_then_on_the_only_one(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("first")
    datasets = {"toy": {"archives": {"a": archive("a.csv")}}}
    verify(tmp_path, datasets)
    assert read_pins(tmp_path / "pins.yaml") == {
        "toy/a.csv": f"sha256:{sha256(tmp_path / 'a.csv')}"
    }
    verify(tmp_path, datasets)
    (tmp_path / "a.csv").write_text("second")
    with pytest.raises(UserError, match=r"a\.csv is not the archive that toy declares: its sha256"):
        verify(tmp_path, datasets)
    assert (tmp_path / "a.csv").read_text() == "second", "it is left for the user to judge"


@pytest.mark.parametrize("changes", [{"checksum": f"md5:{32 * '0'}"}, {"size": 9}])
def test_another_file_than_the_declared_one_is_refused(
    changes: dict[str, Any], tmp_path: Path
) -> None:
    (tmp_path / "a.csv").write_text("first")
    with pytest.raises(UserError, match="is not the archive that toy declares"):
        verify(tmp_path, {"toy": {"archives": {"a": archive("a.csv", **changes)}}})


def test_a_shared_archive_is_that_of_its_owner(tmp_path: Path) -> None:
    for name in "ab":
        (tmp_path / f"{name}.csv").write_text(name)
    shared = {"archives": {"a": {"from": "owner"}, "b": archive("b.csv")}}
    datasets = {"toy": shared, "owner": {"archives": {"a": archive("a.csv")}}}
    verify(tmp_path, datasets)
    assert sorted(read_pins(tmp_path / "pins.yaml")) == ["owner/a.csv", "toy/b.csv"]


@pytest.mark.parametrize(
    "entry",
    [{"folder": "x"}, {"synthetic": True, "archives": {"a": archive("a.csv", size=1)}}],
)
def test_own_files_and_archives_that_are_made_up_are_none_of_its_business(
    entry: dict[str, Any], tmp_path: Path
) -> None:
    verify(tmp_path, {"toy": entry})
    assert list(tmp_path.iterdir()) == []


def test_lists_that_users_write_are_not_pinned(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("clips")
    verify(tmp_path, {"toy": {"archives": {"a": archive("a.csv", urls=[])}}})
    assert not (tmp_path / "pins.yaml").exists()


def test_an_archive_that_went_away_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"a\.csv cannot be used \(No such file"):
        verify(tmp_path, {"toy": {"archives": {"a": archive("a.csv")}}})


def test_an_archive_whose_contents_do_not_pass_is_not_pinned(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("wrong")
    config = {
        "datasets": {"toy": {"archives": {"a": archive("a.csv")}}},
        "pins": f"{tmp_path}/pins.yaml",
    }
    paths = {"a": f"{tmp_path}/a.csv"}
    with (
        pytest.raises(UserError, match="holds 1 of 2 members"),
        verified_archives(config, "toy", paths=paths),
    ):
        raise UserError("it holds 1 of 2 members")
    assert not (tmp_path / "pins.yaml").exists()
    (tmp_path / "a.csv").write_text("right")
    with verified_archives(config, "toy", paths=paths):
        pass
    assert "toy/a.csv" in read_pins(tmp_path / "pins.yaml")
