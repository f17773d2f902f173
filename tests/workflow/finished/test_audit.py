"""The audit and the `fedssl` command on a workflow that has really run."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from fedssl.audit.audit import audit
from fedssl.audit.findings import Verdict
from tests.workflow.project import CONFIG, Project

RESULTS = "results/demo"
CELL = "fssuavl/simclr/resnet18/fedavg/a0-i100-b0/e1/seed0"
GRID = "tests/workflow/grid.yaml"
WITHOUT_RECORD = ("logs", "benchmarks", "cells.csv", "audit.json")


def fedssl(project: Project, *arguments: str) -> Any:
    """Run the command as a user does, with the copy's own code; return its JSON."""
    options = [word for file in CONFIG[1:] for word in ("--configfile", file)]
    ran = subprocess.run(
        [sys.executable, "-m", "fedssl", *arguments, *options, "--json"],
        cwd=project.root,
        env=os.environ | {"PYTHONPATH": str(project.root / "src")},
        capture_output=True,
        text=True,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return json.loads(ran.stdout)


def test_a_finished_run_passes_and_gets_a_seal(finished: Project) -> None:
    finished.run("--cores", "1", "audit")
    written = json.loads((finished.root / RESULTS / "audit.json").read_text())
    found = audit(finished.root / RESULTS, seal=written["seal"])
    assert {unit.verdict for unit in found.units} == {Verdict.SOUND}
    assert finished.planned("audit") == {"audit": 1}, "a file can change without its time"
    assert finished.planned() == {}


def test_a_flipped_byte_in_any_file_of_a_real_run_is_named(
    finished: Project, tmp_path: Path
) -> None:
    results = shutil.copytree(finished.root / RESULTS, tmp_path / "moved")
    flipped = [
        path
        for path in sorted(results.rglob("*"))
        if path.is_file()
        and not path.name.startswith(".")
        and path.relative_to(results).parts[0] not in WITHOUT_RECORD
        and not path.name.endswith("provenance.json")
    ]
    for path in flipped:
        content = bytearray(path.read_bytes())
        content[len(content) // 2] ^= 1
        path.write_bytes(content)
    found = {f.file for u in audit(results).units for f in u.findings if f.verdict == "tampered"}
    assert len(flipped) > 30
    assert {path.relative_to(results).as_posix() for path in flipped} <= found


def test_the_audit_of_a_tampered_run_fails_and_names_the_file(edited: Project) -> None:
    figure = f"{RESULTS}/figures/fssuavl_loss.svg"
    times = (edited.root / figure).stat()
    edited.edit(figure, lambda text: text.replace("round", "rouNd", 1))
    # With its old time, so that no job makes a page of it: that job would refuse the figure.
    os.utime(edited.root / figure, ns=(times.st_atime_ns, times.st_mtime_ns))
    printed = edited.run("--cores", "1", "audit", ok=False)
    assert "did not pass its audit" in printed
    assert "tampered: figures/fssuavl_loss.svg" in printed
    assert not (edited.root / RESULTS / "audit.json").exists()


def test_an_edit_is_explained_before_anything_runs(edited: Project) -> None:
    assert fedssl(edited, "explain") == []
    edited.edit(GRID, lambda text: text.replace("local_epochs: 1", "local_epochs: 3"))
    edited.edit("src/fedssl/aggregators/fairavg.py", "{}\nX = 1\n".format)
    jobs = fedssl(edited, "explain", CELL)
    causes = {job["rule"]: job["causes"] for job in jobs}
    assert causes["pretrain"] == ["federation.local_epochs: 1 -> 3"]
    assert causes["evaluate"] == causes["gains"] == []
    assert {job["wildcards"].get("variant", "e1") for job in jobs} == {"e1"}
    every = fedssl(edited, "explain")
    told = {tuple(job["causes"]) for job in every if job["rule"] == "pretrain"}
    code = ("code was edited: fedssl.aggregators.fairavg",)
    assert told == {("federation.local_epochs: 1 -> 3",), code}


def test_an_estimate_rests_on_what_was_measured(edited: Project) -> None:
    assert fedssl(edited, "estimate", "all") == []
    edited.edit(GRID, lambda text: text.replace("local_epochs: 1", "local_epochs: 3"))
    costs = {cost["rule"]: cost for cost in fedssl(edited, "estimate", "all")}
    record = json.loads((edited.root / RESULTS / "pretrain" / CELL / "provenance.json").read_text())
    assert costs["pretrain"]["hours"] == pytest.approx(record["seconds"] / 3600)
    assert costs["pretrain"]["sent_bytes"] == record["bytes_up"] + record["bytes_down"]
    assert (costs["pretrain"]["jobs"], costs["pretrain"]["measured"]) == (1, 1)
    edited.edit(GRID, lambda text: text.replace("aggregator: [fedavg]", "aggregator: [fedu]"))
    assert fedssl(edited, "cells", "--status", "not-run")[0]["aggregator"] == "fedu"
