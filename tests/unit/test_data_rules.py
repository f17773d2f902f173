"""When the age of an archive counts: not once it was fetched and is still the one wanted."""

import json
import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from snakemake.io import is_flagged

from fedssl.data.own.dataset_entry import with_own_datasets
from fedssl.data.plan import archive_content, bank_contents, bank_inputs, bank_state
from fedssl.grid.cells import Grid
from fedssl.grid.paths import ResultPaths
from fedssl.grid.plan import Plan
from tests.unit.figures import ROOT, shipped

CIFAR10 = SimpleNamespace(dataset="cifar10")
CIFAR10_FILE = SimpleNamespace(dataset="cifar10", file="cifar-10-python.tar.gz")
VGGSOUND = SimpleNamespace(dataset="vggsound")


def planned(grid: Grid) -> Plan:
    return Plan(grid, ResultPaths(grid.config["results_dir"]), ROOT)


@pytest.fixture
def plan(tmp_path: Path) -> Plan:
    grid, _ = shipped(data_dir=str(tmp_path))
    return planned(grid)


def content(rule: str, checksum: str | None) -> dict[str, Any]:
    hashes: dict[str, Any] = {"inputs": {}, "outputs": {}, "sources": {}}
    return {"rule": rule, "settings": {"checksum": checksum}, **hashes}


def record(plan: Plan, rule: str, checksum: str | None) -> None:
    path = Path(f"{bank_inputs(plan, CIFAR10)['batches']}.provenance.json")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content(rule, checksum)))


def is_ancient(plan: Plan) -> bool:
    return is_flagged(bank_inputs(plan, CIFAR10)["batches"], "ancient")


def test_an_archive_is_settled_once_fetched_with_the_checksum_that_is_wanted(plan) -> None:
    assert not is_ancient(plan), "nothing was fetched yet"
    wanted = archive_content(plan, CIFAR10_FILE)
    record(plan, "acquire", wanted["checksum"])
    assert is_ancient(plan)
    record(plan, "acquire", "md5:other")
    assert not is_ancient(plan), "another archive is wanted"
    record(plan, "synthesise", wanted["checksum"])
    assert not is_ancient(plan), "the demo's may be made anew"


def test_where_an_archive_comes_from_is_no_part_of_what_it_is(plan) -> None:
    content = archive_content(plan, CIFAR10_FILE)
    assert set(content) == {"checksum", "file", "size"}


def test_a_killed_bank_of_other_settings_is_not_gone_on_with(tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    for name in ("a/1.wav", "a/2.wav", "b/1.wav", "b/2.wav"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    states = []
    for share in (0.2, 0.5):
        entry = {"mine": {"folder": str(folder), "modality": "audio", "test_share": share}}
        grid, layers = shipped(datasets=entry)
        own = Grid(with_own_datasets(grid.config, layers), layers)
        plan = planned(own)
        states.append([bank_state(plan, SimpleNamespace(dataset=d)) for d in ("mine", "cifar10")])
    assert states[0][0] != states[1][0] and states[0][1] == states[1][1]


def of_cifar10(**changes: Any) -> Plan:
    evaluation = {"retrieval": {"ks": [1]}}  # few training samples are enough
    grid, _ = shipped(datasets={"cifar10": changes}, evaluation=evaluation)
    return planned(grid)


def test_what_is_counted_afterwards_throws_away_nothing_that_was_read() -> None:
    before = of_cifar10()
    counted: dict[str, Any] = {"classes": 9, "splits": {"train": 700}, "max_bad_share": 0.5}
    for key, value in counted.items():
        after = of_cifar10(**{key: value})
        assert bank_state(after, CIFAR10) == bank_state(before, CIFAR10)
        assert bank_contents(after, CIFAR10) != bank_contents(before, CIFAR10)
    other = of_cifar10(archives={"batches": {"checksum": f"md5:{32 * '0'}"}})
    assert bank_state(other, CIFAR10) != bank_state(before, CIFAR10)


def test_of_archives_that_are_made_up_no_checksum_is_claimed() -> None:
    assert bank_contents(of_cifar10(), CIFAR10)["archives"]["batches"] is not None
    assert bank_contents(of_cifar10(synthetic=True), CIFAR10)["archives"] == {"batches": None}


def test_a_list_that_users_write_is_never_settled(plan) -> None:
    path = Path(bank_inputs(plan, VGGSOUND)["clips"])
    path.parent.mkdir(parents=True)
    Path(f"{path}.provenance.json").write_text(json.dumps(content("acquire", None)))
    assert not is_flagged(bank_inputs(plan, VGGSOUND)["clips"], "ancient")


def test_a_changed_a_new_and_a_removed_recording_are_noticed(plan, tmp_path: Path) -> None:
    def said() -> Any:
        return bank_contents(plan, VGGSOUND)["recordings"]

    assert said() == {"clips": None}
    path = Path(bank_inputs(plan, VGGSOUND)["clips"])
    path.parent.mkdir(parents=True)
    (tmp_path / "sounds").mkdir()
    path.write_text(f"{tmp_path}/sounds\n")
    clip = tmp_path / "sounds" / "a.wav"
    seen = [said()]
    for change in (lambda: clip.write_bytes(b"1"), lambda: clip.write_bytes(b"12"), clip.unlink):
        change()
        seen.append(said())
    assert seen[0] == seen[3] and len({str(one) for one in seen}) == 3
    clip.write_bytes(b"12")
    os.utime(clip, ns=(0, 0))
    assert said() not in seen and said() == said()
    assert "recordings" not in bank_contents(plan, CIFAR10)
