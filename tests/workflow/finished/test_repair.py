"""Damage of every kind at once: `fedssl repair` names it, and its command makes all whole."""

import json
import os
import re
import shlex
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from fedssl.audit.audit import audit
from fedssl.audit.findings import Verdict
from fedssl.command.dry_run import planned_jobs
from fedssl.command.project import open_project
from fedssl.command.stale_progress import finished_states
from fedssl.files import sha256
from tests.unit.audits import flip
from tests.unit.test_damage import empty, folder_instead, link_to_nowhere, remove, truncate
from tests.workflow.project import CONFIG, Project

RESULTS = "results/demo"
_STATE = re.compile(f"{RESULTS}/(state/[a-z0-9_/-]+)")
CELL = "fssuavl/simclr/resnet18/fedavg/a0-i100-b0/base/seed0"
E1, FAIRAVG = CELL.replace("base", "e1"), CELL.replace("fedavg", "fairavg")
RANDOM = "fssuavl/random-init/resnet18/base/seed0"
DAMAGE: dict[str, Callable[[Path], None]] = {
    f"pretrain/{E1}/model.safetensors": empty,
    f"evaluate/{CELL}/cifar10/knn.parquet": truncate,
    f"evaluate/{FAIRAVG}/cifar10/retrieval.json": flip,
    f"evaluate/{RANDOM}/cifar10/fine-tune.json": folder_instead,
    "banks/cifar10/labels.npy": link_to_nowhere,
    "tables/fssuavl_table2.csv": flip,
    "tables/fssuavl_table3.provenance.json": truncate,
    "figures/fssuavl_loss.svg": remove,
    "audit.provenance.json": empty,
}
# Models that neither are damaged nor depend on anything that is.
SPARED = [f"pretrain/{cell}/{name}" for cell in (CELL, FAIRAVG) for name in ("rounds.csv",)]
SPARED += [f"pretrain/{cell}/model.safetensors" for cell in (CELL, FAIRAVG)]
SPARED += ["banks/tiny-imagenet/images.npy", "banks/tiny-imagenet/bank.json"]


@pytest.fixture
def damaged(finished: Project, tmp_path: Path) -> Project:
    """The finished project with its audit and crate, and then damage of every kind."""
    project = finished.clone(tmp_path / "damaged")
    project.run("--cores", "2", "all", "audit", "crate")
    for name, way in DAMAGE.items():
        way(project.root / RESULTS / name)
    part = project.root / RESULTS / f"pretrain/{CELL}/.model.safetensors.x.part"
    part.write_bytes(b"half a model")
    os.utime(part, (time.time() - 3600,) * 2)
    return project


def fedssl(project: Project, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "fedssl", *arguments],
        cwd=project.root,
        env=os.environ | {"PYTHONPATH": str(project.root / "src")},
        capture_output=True,
        text=True,
    )


def state(project: Project, names: list[str]) -> dict[str, tuple[int, str]]:
    paths = {name: project.root / RESULTS / name for name in names}
    return {name: (path.stat().st_mtime_ns, sha256(path)) for name, path in paths.items()}


@pytest.mark.slow
def test_the_printed_command_makes_everything_whole_and_spares_the_rest(damaged: Project) -> None:
    spared = state(damaged, SPARED)
    # The configuration is found without being named.
    first = json.loads(fedssl(damaged, "repair", RESULTS, "--json").stdout)
    assert {entry["file"] for entry in first["damaged"]} >= DAMAGE.keys()
    assert "labels.npy is a link to nowhere" in first["unknown"], "no plan before it is removed"
    (links,) = _printed(damaged, "rm")
    subprocess.run(links, check=True)
    answer = fedssl(damaged, "repair", RESULTS, "--json")
    found = json.loads(answer.stdout)
    assert answer.returncode == 1 and not found["lost"] and not found["unknown"]
    assert [entry["file"] for entry in found["leftovers"]] == [
        f"pretrain/{CELL}/.model.safetensors.x.part"
    ]
    assert found["jobs"]["pretrain"] == 1 and found["jobs"]["bank_images"] == 1
    cells = json.loads(fedssl(damaged, "cells", *_options(), "--json").stdout)
    assert [cell["status"] for cell in cells].count("damaged") == 2

    (records,) = _printed(damaged, "rm")
    (command,) = _printed(damaged, "snakemake")
    subprocess.run(records, check=True)
    printed = damaged.run(*command[1:], config=())
    logged = damaged.logged()
    for rule, count in found["jobs"].items():
        assert logged.count(f"rule {rule}:\n") == count, rule
    total = sum(found["jobs"].values())
    lines = [line for line in printed.splitlines() if line.startswith("[")]
    assert [line.split()[0] for line in lines] == [f"[{n}/{total}]" for n in range(1, total + 1)]
    assert "\x1b" not in printed and "Select jobs" not in printed

    assert {unit.verdict for unit in audit(damaged.root / RESULTS).units} == {Verdict.SOUND}
    assert state(damaged, SPARED) == spared
    assert damaged.planned() == {}
    assert fedssl(damaged, "repair", RESULTS, "--run").returncode == 0, "which removes the rest"
    again = fedssl(damaged, "repair", RESULTS)
    assert again.returncode == 0 and again.stdout.startswith("nothing to repair")


def test_the_state_folders_are_those_that_snakemake_gave_the_jobs(
    finished: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(finished.root)
    jobs = planned_jobs(["all"], CONFIG[1:], finished=True)
    states = finished_states(open_project(CONFIG[1:]).plan, jobs)
    kept = [path for path in Path(".snakemake/metadata").rglob("*") if path.is_file()]
    given = {name for path in kept for name in _STATE.findall(path.read_text())}
    assert len(states) > 5 and states == dict.fromkeys(given, True)


def _printed(project: Project, program: str) -> list[list[str]]:
    """Return the commands of a program that `fedssl repair` prints."""
    lines = fedssl(project, "repair", RESULTS).stdout.splitlines()
    return [shlex.split(line) for line in lines if line.startswith(f"  {program} ")]


def _options() -> list[str]:
    return [word for file in CONFIG[1:] for word in ("--configfile", file)]
