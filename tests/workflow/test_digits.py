"""The tutorial on spoken digits as a reader follows it, on made-up sounds and for two rounds."""

import csv
import re
from pathlib import Path

import pytest
import yaml

from tests.unit.documents import ROOT, Document
from tests.workflow.project import Project

PAGE = Document("docs/tutorial/digits.md")
SMALL = {
    "settings": {
        "federation": {"clients": 4, "rounds": 2, "local_epochs": 1},
        "image": {"size": 32},
        "audio": {"mels": 32, "size": 32},
    },
    "encoders": {"resnet18": {"width": 8}},
    "evaluation": {"linear-probe": {"epochs": 5}},
}


@pytest.fixture(scope="module")
def followed(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A copy in which the tutorial's command has run."""
    project = Project.copy(tmp_path_factory.mktemp("digits"))
    for name, content in PAGE.files().items():
        (project.root / name).write_text(content)
    demo = yaml.safe_load((ROOT / "config/demo.yaml").read_text())["datasets"]["fsdd"]
    made_up = {"datasets": {"fsdd": demo | {"splits": {"train": 120, "test": 20}}}}
    (project.root / "small.yaml").write_text(yaml.safe_dump(SMALL | made_up))
    (command,) = re.findall(r"^snakemake --cores .*$", PAGE.text, re.MULTILINE)
    project.shell(f"{command} small.yaml")
    return project


def test_the_tutorial_ends_with_its_table(followed: Project) -> None:
    results = followed.root / "results/digits"
    with (results / "tables/digits_accuracies.csv").open() as file:
        rows = list(csv.DictReader(file))
    shown = [row["row"] for row in rows]
    assert shown == ["R-18 SimCLR FedAvg"] * 3 + ["random init"] * 3
    assert all(0 <= float(row["measured"]) <= 100 for row in rows)
    for file in promised():
        assert (results / file).is_file(), file


def promised() -> list[Path]:
    """Return the files of results/digits that the tutorial names."""
    found = re.findall(r"`results/digits/([^`]+\.\w+)`", PAGE.text)
    assert len(found) == 3
    return [Path(name) for name in found]


def test_a_changed_alpha_leaves_archive_bank_and_random_encoder(followed: Project) -> None:
    """The page says so of `alpha: 0.1`."""
    followed.edit("digits.yaml", lambda text: text.replace("alpha: 1.0", "alpha: 0.1"))
    config = ("--configfile", "digits.yaml", "small.yaml")
    planned = followed.planned("digits", config=config)
    followed.restore()
    assert planned["pretrain"] == planned["shards"] == 1
    assert not planned.keys() & {"synthesise", "bank_waveforms", "evaluate_random_init"}
