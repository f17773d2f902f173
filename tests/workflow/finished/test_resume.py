"""A job killed at any moment ends, when run again, with the bits of one that was not."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.workflow.project import Project, wait_for

CELL = "pretrain/fssuavl/simclr/resnet18/fedavg/a0-i100-b0/base/seed0"
MODEL = f"results/demo/{CELL}/model.safetensors"


@pytest.fixture
def untrained(finished: Project, tmp_path: Path) -> Project:
    """The finished project without one of its models."""
    project = finished.clone(tmp_path / "untrained")
    shutil.rmtree((project.root / MODEL).parent)
    return project


def checkpoints(project: Project) -> list[Path]:
    return sorted((project.root / "results/demo/state").rglob("round*.json"))


def digest(project: Project) -> str:
    record = json.loads((project.root / f"results/demo/{CELL}/provenance.json").read_text())
    printed = subprocess.check_output(["sha256sum", project.root / MODEL], text=True)
    assert record["outputs"][MODEL] == printed.split()[0]
    return printed.split()[0]


def test_sigkill_mid_round_then_resume_gives_the_same_model(
    finished: Project, untrained: Project
) -> None:
    process = untrained.snakemake("--cores", "1", MODEL)
    wait_for(lambda: len(checkpoints(untrained)) >= 2, process)
    process.kill()
    assert not (untrained.root / MODEL).exists()
    untrained.run("--unlock")
    # The last rounds train two clients at once, which shows in the bits as little.
    two = ("--cores", "2", "--set-threads", "pretrain=2")
    untrained.run(*two, "--rerun-incomplete", "--", MODEL)
    record = json.loads((untrained.root / f"results/demo/{CELL}/provenance.json").read_text())
    assert record["resumed_after_round"] >= 2 and record["clients_side_by_side"] == 2
    assert digest(untrained) == digest(finished)
    assert not checkpoints(untrained), "the state is removed once the outputs are there"


def test_an_edit_while_the_job_runs_is_caught_afterwards(untrained: Project) -> None:
    process = untrained.snakemake("--cores", "1", MODEL)
    wait_for(lambda: checkpoints(untrained), process)
    untrained.edit("src/fedssl/aggregators/fedavg.py", "{}\nX = 1\n".format)
    printed = process.wait(300)
    assert process.returncode == 0, printed
    assert untrained.planned(MODEL) == {"pretrain": 1}
