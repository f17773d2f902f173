"""The mini study on the real archives: what it says of itself in the README."""

import csv

import pytest

from tests.workflow.project import ROOT, Project

MIRROR = ROOT.parent / "shared" / "data"


@pytest.mark.slow
@pytest.mark.skipif(not MIRROR.is_dir(), reason=f"the real archives are not at {MIRROR}")
def test_pretraining_beats_random_init_on_what_it_was_trained_on(unfinished: Project) -> None:
    config = ("--configfile", "config/mini.yaml", "--config", f"mirror={MIRROR}")
    unfinished.run("--cores", "2", config=config, seconds=7200)
    table = unfinished.root / "results/mini/tables/fssuavl_random_init.csv"
    with table.open() as file:
        trained = [row for row in csv.DictReader(file) if row["pretrained_on"] == "True"]
    assert len(trained) == 6
    assert all(float(row["low"]) > 0 for row in trained), trained
