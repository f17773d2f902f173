"""What killed jobs leave is found, once no job can need it, and removed."""

import os
import time
from pathlib import Path

import pytest

from fedssl.audit.audit import audit
from fedssl.lease import hold, lease_of
from fedssl.record.leftovers import (
    find_leftovers,
    find_stale_progress,
    progress,
    remove,
    running,
)
from tests.unit.results import CELL

HOUR, WEEK = 3600.0, 8 * 24 * 3600.0
PART = f"pretrain/{CELL}/.model.safetensors.x1y2.part"
DONE, OPEN, FOREIGN = (f"state/pretrain/{name * 16}" for name in "def")


def old(path: Path, seconds: float = HOUR) -> Path:
    """Let a path and what is below it be unchanged for some time."""
    moment = time.time() - seconds
    for inside in (*path.rglob("*"), path) if path.is_dir() else (path,):
        os.utime(inside, (moment, moment))
    return path


def put(path: Path, seconds: float = HOUR) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("x")
    return old(path, seconds)


def names(root: Path) -> list[str]:
    return [leftover.path.relative_to(root).as_posix() for leftover in find_leftovers(root)]


def stale(root: Path) -> list[str]:
    finished = {DONE: True, OPEN: False}
    found = find_stale_progress(root, finished)
    return [leftover.path.relative_to(root).as_posix() for leftover in found]


def test_a_whole_tree_has_no_leftover(results: Path) -> None:
    (results / "state/pretrain").mkdir(parents=True)
    old(results / "state")
    assert names(results) == progress(results) == running(results) == []


def test_leftovers_are_found_and_removed_and_nothing_else_is(results: Path) -> None:
    before = sorted(results.rglob("*"))
    put(results / PART)
    put(results / ".cells.csv.a.part")
    put(results / ".lease.1a2b.part")
    (results / "evaluate/x/y").mkdir(parents=True)
    old(results / "evaluate/x")
    old(results / "evaluate")
    assert names(results) == [".cells.csv.a.part", ".lease.1a2b.part", "evaluate/x", PART]
    for leftover in find_leftovers(results):
        remove(leftover)
    assert sorted(results.rglob("*")) == before


def test_what_changed_just_now_may_be_in_use(results: Path) -> None:
    put(results / PART, seconds=5)
    (results / "evaluate/new").mkdir()
    put(results / DONE / "round000001.json", seconds=5)
    assert names(results) == stale(results) == []


def test_a_lease_is_a_leftover_once_its_process_has_ended(results: Path) -> None:
    held = results / f"pretrain/{CELL}/.provenance.json.lease"
    with hold(held, what="a cell"):
        old(held)
        (process,) = running(results)
        assert names(results) == [] and f"process {os.getpid()} of " in process
        content = held.read_text()
    assert running(results) == []
    put(held).write_text(content.replace(f'"pid": {os.getpid()}', '"pid": 999999999'))
    old(held)
    assert names(results) == [held.relative_to(results).as_posix()] and running(results) == []


def test_a_lease_on_another_host_is_kept_while_it_gives_signs_of_life(results: Path) -> None:
    held = results / ".lease"
    with hold(held, what="the results"):
        content = held.read_text()
    held.write_text(content.replace('"boot": "', '"boot": "other'))
    assert len(running(results)) == 1
    old(held)
    assert running(results) == [] and names(results) == [".lease"]


def test_progress_is_stale_when_its_job_has_finished_or_is_no_more(results: Path) -> None:
    for state in (DONE, OPEN, FOREIGN):
        put(results / state / "round000001.json")
        put(results / f"{state}.attempt")
        old(results / state)
    assert stale(results) == [DONE, f"{DONE}.attempt"], "an edit may be undone"
    old(results / FOREIGN, WEEK)
    assert stale(results) == [DONE, f"{DONE}.attempt", FOREIGN]


def test_progress_of_a_running_job_is_never_stale(results: Path) -> None:
    put(results / DONE / "round000001.json")
    old(results / DONE)
    with hold(lease_of(results / DONE), what=DONE):
        assert len(running(results)) == 1 and stale(results) == []
    assert running(results) == [] and DONE in stale(results)


@pytest.mark.parametrize("place", ["state/bank/cifar10/abc", "state/fine_tune/abc"])
def test_progress_is_found_below_each_stage(results: Path, place: str) -> None:
    put(results / place / "data")
    assert progress(results) == [results / place]


def test_the_audit_says_leftovers_and_still_passes(results: Path) -> None:
    seal = audit(results).seal
    put(results / PART)
    put(results / OPEN / "round000001.json")
    found = audit(results, seal=seal)
    notes = {unit.name: unit.notes[0].what for unit in found.units if unit.kind == "leftovers"}
    assert found.passed and notes.keys() == {PART, OPEN}
    assert "was killed" in notes[PART] and "`fedssl repair`" in notes[OPEN]
