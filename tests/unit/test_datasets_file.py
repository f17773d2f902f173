"""config/datasets.yaml: valid, readable, and strict about what it does not know."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pytest

from fedssl.data.banks.build import get_reader
from fedssl.data.settings import AnyDataset
from fedssl.grid.forms import form
from fedssl.grid.mistakes import find_mistakes
from fedssl.settings import HyphenatedName
from tests.unit.archives import DATASETS


@dataclass(frozen=True)
class Datasets:
    """What the file holds."""

    datasets: Mapping[HyphenatedName, AnyDataset]


def mistakes_in(datasets: Mapping[str, Any]) -> list[str]:
    return [mistake.text for mistake in find_mistakes(form(Datasets), {"datasets": datasets})]


def test_the_datasets_file_is_as_declared() -> None:
    assert mistakes_in(DATASETS) == []


@pytest.mark.parametrize(
    "change",
    [{"colour": 1}, {"modality": "video"}, {"splits": {}}, {"max_bad_share": 2}, {"archives": {}}],
    ids=lambda change: next(iter(change)),
)
def test_the_schema_refuses_what_it_does_not_know(change: dict[str, Any]) -> None:
    assert mistakes_in({"fsdd": {**DATASETS["fsdd"], **change}})


@pytest.mark.parametrize(
    "change",
    [{"file": "../x"}, {"urls": ["ftp://x"]}, {"checksum": "md5:12"}, {"size": "1 GB"}, {"sha": 1}],
    ids=lambda change: next(iter(change)),
)
def test_the_schema_refuses_a_wrong_archive(change: dict[str, Any]) -> None:
    archive = DATASETS["fsdd"]["archives"]["recordings"]
    entry = {**DATASETS["fsdd"], "archives": {"recordings": {**archive, **change}}}
    assert mistakes_in({"fsdd": entry})


def test_an_archive_that_is_no_mapping_is_refused() -> None:
    entry = {**DATASETS["fsdd"], "archives": {"recordings": 3}}
    assert mistakes_in({"fsdd": entry}) == ["is 3; it must be a mapping"]


def test_every_dataset_can_be_acquired_and_read_or_says_how() -> None:
    for dataset, entry in DATASETS.items():
        archives = entry["archives"].items()
        owned = [DATASETS[a["from"]]["archives"][key] if "from" in a else a for key, a in archives]
        served = all(archive["urls"] for archive in owned)
        assert served or entry["access"], dataset
        if served:
            assert entry["modality"] == get_reader(dataset).MODALITY


def test_restricted_archives_have_no_address_and_say_what_to_do() -> None:
    for dataset, keys in {"vggsound": ["clips"], "epic-sounds": ["audio"]}.items():
        assert all(DATASETS[dataset]["archives"][key]["urls"] == [] for key in keys)
    for dataset in ("vggsound", "epic-sounds", "dov"):
        access = " ".join(DATASETS[dataset]["access"].split())
        assert f"<data_dir>/archives/{dataset}/" in access
        assert f"run snakemake <results_dir>/banks/{dataset}/bank.json" in access


def test_unverified_numbers_are_declared_ones() -> None:
    for dataset, entry in DATASETS.items():
        known = {"classes", *(split for split, count in entry["splits"].items() if count)}
        assert set(entry.get("unverified", ())) <= known, dataset
    assert [name for name in ("dov", "nsynth") if "unverified" not in DATASETS[name]] == []
