"""`fedssl watch`: what it shows while a run goes on, and that it ends with the run."""

import io
import os
import shutil
import time
from pathlib import Path

import pytest
from rich.console import Console

from fedssl.command import watch
from fedssl.record import leftovers
from tests.unit.commands import fedssl
from tests.unit.results import CELL

SQUEUE = """#!/bin/sh
echo "1|RUNNING|None|{here}|a"
echo "2|PENDING|Resources|{here}|b"
echo "3|PENDING|Resources|{here}|c"
echo "4|RUNNING|None|/elsewhere|d"
"""


@pytest.fixture
def ends_after_three(folder: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A run that is seen three times, trains a cell, and has jobs in Slurm's queue."""
    shutil.rmtree(folder / "results/demo/pretrain" / CELL)
    log = folder / f"results/demo/logs/pretrain/{CELL}.log"
    log.parent.mkdir(parents=True)
    log.write_text("x INFO round 11 of 60  loss 3.6  20.0 s a round  0:10:00 left\n")
    squeue = folder / "bin/squeue"
    squeue.parent.mkdir()
    squeue.write_text(SQUEUE.format(here=folder))
    squeue.chmod(0o755)
    monkeypatch.setenv("PATH", f"{squeue.parent}:{os.environ['PATH']}")
    seen = ["process 7", "process 7", "process 7", ""]
    monkeypatch.setattr(leftovers, "owner", lambda lease: seen.pop(0))
    monkeypatch.setattr(time, "sleep", lambda seconds: None)
    return seen


def test_it_ends_with_the_run_and_repeats_nothing(ends_after_three: list[str]) -> None:
    told = " ".join(fedssl("watch").stdout.split())
    first, counts = told.split("; Slurm: 1 running, 2 pending ")
    assert counts == f"{first} no run is writing to results/demo" and ends_after_three == []
    assert first.startswith("1 of 2 pretrained, about ") and first.endswith("1 running, 1 done")


def test_a_terminal_shows_each_cell_that_trains() -> None:
    axes = dict(zip(("method", "arch", "aggregator", "split", "variant"), "abcde", strict=True))
    cell = axes | {"seed": 0, "status": "running", "progress": "round 11 of 60, 0:00:01 ago"}
    console = Console(file=io.StringIO(), width=80)
    console.print(watch._table("a run", [cell, cell | {"status": "done"}], ["1 of 2"]))
    title, head, row, *rest = console.file.getvalue().splitlines()  # type: ignore[attr-defined]
    assert title == "a run" and head.split()[-1] == "progress" and rest == ["1 of 2"]
    assert row.split() == [*"abcde", "0", "round", "11", "of", "60"]
