"""Storage and executors other than Slurm's: every file that a job reads or writes is declared."""

import json
import os
import shutil
import sys
from pathlib import Path

import pytest

from tests.workflow.project import CONFIG, Project

CELL = "fssuavl/simclr/resnet18/fedavg/a0-i100-b0/e1/seed0"
MODEL = f"results/demo/pretrain/{CELL}/model.safetensors"
SCORES = f"results/demo/evaluate/{CELL}/cifar10/provenance.json"
# For a machine without rsync: copies a file, or what is in a folder, with its times.
RSYNC = f"""#!{sys.executable}
import shutil, sys
from pathlib import Path
source, target = [word for word in sys.argv[1:] if not word.startswith("-")]
if Path(source).is_dir():
    shutil.copytree(source, target, dirs_exist_ok=True)
else:
    shutil.copy2(source, target)
"""
# Stands for `qsub`: notes what it was asked for, and runs the job.
SUBMIT = """#!/bin/sh
echo "$1 $2 $3" >> "$0.calls"
sh "$4" > /dev/null 2>&1
"""


@pytest.fixture
def storage(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> tuple[Path, list[str]]:
    """Return the folder of a storage's files, and Snakemake's options for it."""
    store = tmp_path_factory.mktemp("store")
    if not shutil.which("rsync"):
        program(store / "bin/rsync", RSYNC)
        monkeypatch.setenv("PATH", f"{store}/bin:{os.environ['PATH']}")
    files = store / "files"
    return files, ["--default-storage-provider", "fs", "--default-storage-prefix", str(files)]


@pytest.mark.slow
def test_a_run_from_a_storage_ends_with_its_table_and_page(
    unfinished: Project, storage: tuple[Path, list[str]]
) -> None:
    files, options = storage
    made = files / "results/demo"
    unfinished.run("--cores", "2", *options, "fssuavl")
    assert (made / "banks/tiny-imagenet/images.npy").is_file()
    assert {path.name for path in (unfinished.root / "results/demo").iterdir()} <= {"state"}
    tables = {path.name: path.read_bytes() for path in made.glob("tables/*.csv")}
    assert b"not-run" not in tables["fssuavl_random_init.csv"]
    record = json.loads((made / "tables/fssuavl_random_init.provenance.json").read_text())
    assert SCORES.replace("provenance.json", "knn.parquet") in record["inputs"]

    configuration = ["--configfile", *(str(unfinished.root / name) for name in CONFIG[1:])]
    elsewhere = ["-s", f"{unfinished.root}/Snakefile", "--directory", str(files)]
    printed = unfinished.run("--cores", "2", *elsewhere, "all", "audit", config=configuration)
    assert "rule pretrain:" not in printed and "rule table:" not in printed
    assert {path.name: path.read_bytes() for path in made.glob("tables/fssuavl*.csv")} == {
        name: content for name, content in tables.items() if name.startswith("fssuavl")
    }
    assert SCORES.split("/")[-2] in (made / "certificate.md").read_text()
    assert (made / "report/index.html").is_file()


def test_a_storage_cannot_make_what_reads_all_records(
    unfinished: Project, storage: tuple[Path, list[str]]
) -> None:
    printed = unfinished.run("-n", *storage[1], ok=False)
    assert "all reads all records of a results folder" in printed


@pytest.mark.slow
def test_a_cluster_without_a_plugin_of_its_own_is_asked_for_what_the_rules_need(
    unfinished: Project,
) -> None:
    submit = unfinished.root / "submit"
    program(submit, SUBMIT)
    command = f"{submit} {{rule}} {{resources.mem_mb}} {{resources.runtime}}"
    options = ["--executor", "cluster-generic", "--cluster-generic-submit-cmd", command]
    unfinished.run("--jobs", "1", *options, "--", MODEL)
    calls = Path(f"{submit}.calls").read_text().split("\n")[:-1]
    asked = {call.split()[0]: tuple(map(int, call.split()[1:])) for call in calls}
    assert asked.keys() == {"synthesise", "bank_images", "pretrain"}
    local = planned_resources(unfinished, MODEL)
    assert {rule: asked[rule] for rule in asked} == {rule: local[rule] for rule in asked}
    assert (unfinished.root / MODEL).is_file()


def planned_resources(project: Project, target: str) -> dict[str, tuple[int, ...]]:
    """Return rule -> memory and minutes, as `--executor local` plans them."""
    printed = project.run("-n", "--forceall", "--executor", "local", "--cores", "2", "--", target)
    found: dict[str, tuple[int, ...]] = {}
    for block in printed.split("\nrule ")[1:]:
        facts = dict(
            pair.split("=")
            for line in block.splitlines()
            if line.startswith("    resources:")
            for pair in line.removeprefix("    resources:").replace(" ", "").split(",")
        )
        if "mem_mb" in facts:
            found[block.split(":")[0]] = (int(facts["mem_mb"]), int(facts["runtime"]))
    return found


def program(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)


def test_every_input_of_a_bank_is_declared(unfinished: Project) -> None:
    printed = unfinished.run("--dry-run", "--", MODEL, SCORES)
    for rule, count in (("shards", 1), ("pretrain", 1), ("evaluate", 1)):
        blocks = [block for block in printed.split("\n\n") if f"rule {rule}:" in block]
        assert len(blocks) == count
        assert all(
            name in blocks[0] for name in ("bank.json", "images.npy", "labels.npy", "index.parquet")
        )
