"""When the age of an archive counts: not once it was fetched and is still the one wanted."""

import json
from pathlib import Path
from types import SimpleNamespace

import pytest
from snakemake.io import is_flagged

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
