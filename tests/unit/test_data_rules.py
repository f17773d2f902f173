"""When the age of an archive counts: not once it was fetched and is still the one wanted."""

import json
from pathlib import Path
from types import SimpleNamespace

import pytest
from snakemake.io import is_flagged

from fedssl.data.own.entries import with_own_datasets
from fedssl.experiments import Grid
from fedssl.rules.data import DataRules
from tests.unit.figures import ROOT, shipped

CIFAR10 = SimpleNamespace(dataset="cifar10")


@pytest.fixture
def rules(tmp_path: Path) -> DataRules:
    grid, _ = shipped(data_dir=str(tmp_path))
    return DataRules(grid, ROOT / "workflow/scripts")


def record(rules: DataRules, rule: str, checksum: str | None) -> None:
    path = Path(f"{rules.archives(CIFAR10)['batches']}.provenance.json")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"rule": rule, "settings": {"checksum": checksum}}))


def is_ancient(rules: DataRules) -> bool:
    return is_flagged(rules.archives(CIFAR10)["batches"], "ancient")


def test_an_archive_is_settled_once_fetched_with_the_checksum_that_is_wanted(rules) -> None:
    assert not is_ancient(rules), "nothing was fetched yet"
    wanted = rules.content(SimpleNamespace(dataset="cifar10", file="cifar-10-python.tar.gz"))
    record(rules, "acquire", wanted["checksum"])
    assert is_ancient(rules)
    record(rules, "acquire", "md5:other")
    assert not is_ancient(rules), "another archive is wanted"
    record(rules, "synthesise", wanted["checksum"])
    assert not is_ancient(rules), "the demo's may be made anew"


def test_where_an_archive_comes_from_is_no_part_of_what_it_is(rules) -> None:
    content = rules.content(SimpleNamespace(dataset="cifar10", file="cifar-10-python.tar.gz"))
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
        rules = DataRules(own, ROOT / "workflow/scripts")
        states.append([rules.bank_state(SimpleNamespace(dataset=d)) for d in ("mine", "cifar10")])
    assert states[0][0] != states[1][0] and states[0][1] == states[1][1]
