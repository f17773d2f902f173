"""Damaged files: each kind of damage of each kind of file is found, by size where size tells."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from fedssl.record.damage import find_damage
from tests.unit.audits import flip, swap
from tests.unit.commands import data
from tests.unit.results import CELL, MODEL

SCORE = f"evaluate/{CELL}/cifar10/knn.parquet"
BANK = "banks/cifar10"


def remove(path: Path) -> None:
    path.unlink()


def empty(path: Path) -> None:
    path.write_bytes(b"")


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


def folder_instead(path: Path) -> None:
    path.unlink()
    path.mkdir()


def full_folder_instead(path: Path) -> None:
    folder_instead(path)
    (path / "notes.txt").write_text("mine")


def link_to_nowhere(path: Path) -> None:
    path.unlink()
    path.symlink_to("nowhere")


WAYS: dict[Callable[[Path], None], str] = {
    remove: "is missing",
    empty: "is empty",
    truncate: "bytes, but its job wrote",
    folder_instead: "is a folder, but a file belongs there",
    full_folder_instead: "move it away first",
    link_to_nowhere: "is a link to nowhere",
    flip: "has other content than its job wrote",
}


def found(results: Path, *, hashes: bool = True) -> dict[str, str]:
    damages = find_damage(results, hashes=hashes)
    return {damage.path.relative_to(results).as_posix(): damage.what for damage in damages}


def outputs(results: Path) -> list[Path]:
    every = sorted(path for path in results.rglob("*") if path.is_file())
    return [path for path in every if not path.name.endswith("provenance.json")]


def test_whole_results_have_no_damage(results: Path) -> None:
    assert found(results) == found(results, hashes=False) == {}


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
def test_any_damaged_output_is_named(results: Path, way: Callable[[Path], None]) -> None:
    damaged = {}
    for path in outputs(results):
        # Archives may be gone: nobody reads them once there is a bank.
        if path.relative_to(results).parts[0] != "archives":
            way(path)
            damaged[path.relative_to(results).as_posix()] = path
    assert len(damaged) > 50
    listed = found(results)
    inside = {name for name in listed if name.endswith("notes.txt")}
    assert listed.keys() - inside == damaged.keys()
    assert all(WAYS[way] in listed[name] for name in damaged)
    by_size = found(results, hashes=False)
    assert by_size.keys() == ({} if way is flip else listed).keys()


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
def test_a_damaged_record_is_named_or_its_files_are(
    results: Path, way: Callable[[Path], None]
) -> None:
    record = results / f"{BANK}/provenance.json"
    way(record)
    listed = found(results)
    if record.is_file():
        assert listed[f"{BANK}/provenance.json"] in ("is empty", "does not match its own digest")
    else:
        assert listed[f"{BANK}/labels.npy"] == "is not listed in any record"


@pytest.mark.parametrize("name", ["pretrain", "tables", "state", "logs", "evaluate"])
def test_what_is_in_place_of_a_folder_is_all_that_is_named(results: Path, name: str) -> None:
    (results / name).mkdir(exist_ok=True)
    (results / name).rename(results.parent / "aside")
    (results / name).write_text("x")
    assert found(results) == {name: "is a file, but a folder belongs there; move it away first"}
    (results / name).unlink()
    (results / name).symlink_to("/scratch/gone")
    assert found(results) == {name: "is a link to /scratch/gone, which cannot be read"}


@pytest.mark.parametrize("name", ["cells.csv", "audit.json", ".lease"])
def test_what_is_in_place_of_a_file_without_record_is_named(results: Path, name: str) -> None:
    (results / name).unlink(missing_ok=True)
    (results / name).mkdir()
    assert found(results) == {name: "is a folder, but a file belongs there"}


def test_only_broken_links_in_place_of_what_a_job_wrote_may_be_removed(results: Path) -> None:
    mine = results / "tables/mine.csv"
    mine.symlink_to("/mnt/not-mounted")
    link_to_nowhere(results / MODEL)
    damages = {damage.path: damage for damage in find_damage(results, hashes=True)}
    assert damages[results / MODEL].unusable and not damages[mine].unusable
    assert damages[mine].what == "is a link to /mnt/not-mounted, which cannot be read"


def test_a_folder_that_is_gone_is_missed_by_the_jobs_that_read_it(results: Path) -> None:
    shutil.rmtree(results / f"pretrain/{CELL}")
    assert found(results)[MODEL] == "is missing"


def test_a_record_of_a_job_that_read_another_version_is_named(results: Path) -> None:
    model = results / MODEL
    flip(model)
    swap(model.with_name("provenance.json"), "outputs", model)
    listed = found(results)
    words = f"is of a job that read an earlier version of {MODEL}"
    assert listed[f"evaluate/{CELL}/cifar10/knn.provenance.json"] == words
    assert MODEL not in listed


def test_a_file_of_nobody_is_named(results: Path) -> None:
    (results / "tables/notes.txt").write_text("mine")
    assert found(results) == {"tables/notes.txt": "is not listed in any record"}


@pytest.mark.parametrize("name", [MODEL, SCORE])
@pytest.mark.parametrize("way", [w for w in WAYS if w is not flip], ids=lambda way: way.__name__)
def test_a_cell_with_a_damaged_file_is_not_done(
    folder: Path, name: str, way: Callable[[Path], None]
) -> None:
    way(folder / "results/demo" / name)
    (cell,) = data("cells", "--status", "damaged")
    assert cell["path"].endswith(MODEL)
    assert cell["progress"].startswith(os.path.basename(name)) and WAYS[way] in cell["progress"]
    assert [other["study"] for other in data("cells", "--status", "done")] == ["fassl"]


def test_a_scored_cell_whose_training_is_gone_is_damaged(folder: Path) -> None:
    shutil.rmtree(folder / f"results/demo/pretrain/{CELL}")
    (cell,) = data("cells", "--status", "damaged")
    assert cell["progress"] == "provenance.json is missing"
