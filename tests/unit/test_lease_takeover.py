"""Leases that change hands: races, damage, owners that go on after a loss, and runs."""

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from fedssl import lease
from fedssl.errors import UserError
from fedssl.files import write_text
from fedssl.lease import LostLease, hold, take
from fedssl.lease_file import read_owner
from fedssl.owner import this_process
from fedssl.record.run_lease import hold_results
from tests.unit.archives import ROOT
from tests.unit.leases import ELSEWHERE, FAST, hurry, left, owner, process


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    hurry(monkeypatch)
    return tmp_path / "folder" / ".lease"


def test_a_stopped_owner_publishes_nothing_after_its_lease_was_taken_over(path: Path) -> None:
    made = path.with_name("model")
    body = f"sys.stdin.readline(); write_text({str(made)!r}, 'of the first')"
    with owner(path, body, **ELSEWHERE) as first:
        os.kill(first.pid, signal.SIGSTOP)
        with hold(path, what="x", wait=60):
            write_text(made, "of the second")
            os.kill(first.pid, signal.SIGCONT)
            _, error = first.communicate("\n", timeout=30)
            assert "LostLease: the cell may no longer be written by process" in error
            assert read_owner(path).pid == os.getpid(), "nor does it end the other's lease"  # type: ignore[union-attr]
    assert made.read_text() == "of the second" and left(path) == ["model"]


def test_the_owner_is_told_when_its_lease_is_lost(path: Path) -> None:
    told = threading.Event()
    mine = take(path, what="x", on_loss=lambda _: told.set())
    path.unlink()
    assert told.wait(10)
    with pytest.raises(LostLease, match="was removed"):
        mine.check()
    mine.release()


def test_of_many_that_find_a_dead_owner_one_at_a_time_follows_it(
    path: Path, tmp_path: Path
) -> None:
    with owner(path) as running:
        running.kill()
        running.wait()
    log = tmp_path / "log"
    body = (
        f"f = open({str(log)!r}, 'a', buffering=1); f.write('in\\n'); time.sleep(0.05); "
        "f.write('out\\n')"
    )
    crowd = [process(path, body) for _ in range(6)]
    for one in crowd:
        assert one.wait(60) == 0, one.stderr and one.stderr.read()
        one.communicate()
    assert log.read_text() == "in\nout\n" * len(crowd)
    assert left(path) == []


@pytest.mark.parametrize("content", [b"", b"{}", b"[1]", b"\xff\x00"])
def test_a_damaged_lease_is_believed_only_while_it_is_young(path: Path, content: bytes) -> None:
    path.parent.mkdir()
    path.write_bytes(content)
    began = time.monotonic()
    with hold(path, what="x", wait=60):
        assert time.monotonic() - began > FAST["SILENT_S"] / 2
    assert left(path) == []


@pytest.mark.parametrize("changed", [{"pid": -1}, {"pid": "x"}, {"pid": 10**20}, {"token": None}])
def test_nobody_is_told_to_kill_what_a_damaged_lease_names(tmp_path: Path, changed: dict) -> None:
    path = tmp_path / ".lease"
    path.write_text(json.dumps(json.loads(this_process().to_json()) | changed))
    with pytest.raises(UserError, match=r"its lease .* is damaged; run again in") as refused:
        take(path, what="x")
    assert "`kill" not in str(refused.value)


@pytest.mark.parametrize("make", [lambda path: path.symlink_to("nowhere"), Path.mkdir, os.mkfifo])
def test_what_is_no_file_is_no_lease_and_is_not_waited_for(
    path: Path, make: Callable[[Path], None]
) -> None:
    path.parent.mkdir()
    make(path)
    with pytest.raises(UserError, match=r"is not a file of this workflow; remove it"):
        take(path, what="x", wait=600)


def test_a_takeover_that_was_killed_does_not_keep_others_out(path: Path) -> None:
    with owner(path) as running:
        running.kill()
        running.wait()
    dead = read_owner(path)
    assert dead is not None
    claim = path.with_name(f".lease.{dead.token[:8]}.claim.part")
    claim.write_bytes(this_process().to_json())
    with hold(path, what="x", wait=60):
        pass
    assert left(path) == []


def test_what_killed_processes_left_next_to_a_lease_is_cleared_by_the_next_owner(
    path: Path,
) -> None:
    with owner(path) as running:
        running.kill()
        running.wait()
    # One was killed before it had written its name, and one after.
    path.with_name(".lease.1a2b.part").touch()
    path.with_name(".lease.3c4d.part").write_bytes(path.read_bytes())
    path.with_name(".other.lease.5e6f.part").touch()
    with hold(path, what="x", wait=60):
        assert left(path) == [".lease", ".other.lease.5e6f.part"]
        with process(path, "pass") as waiting:
            assert waiting.stdout is not None
            assert waiting.stdout.readline().startswith("waiting: ")
            lease._clear_offers(path)  # as an owner does that has just come
            assert left(path)
            waiting.kill()


def test_where_no_file_can_have_two_names_the_lease_is_exclusive_as_well(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    with hold(path, what="x"):
        assert read_owner(path).pid == os.getpid()  # type: ignore[union-attr]
        with pytest.raises(UserError, match=f"process {os.getpid()} "), hold(path, what="x"):
            pytest.fail("both hold it")
    assert left(path) == []


def test_one_that_waits_in_a_folder_that_is_removed_ends(path: Path) -> None:
    with owner(path) as running, process(path) as waiting:
        assert waiting.stdout is not None and waiting.stdout.readline().startswith("waiting: ")
        shutil.rmtree(path.parent)
        assert waiting.wait(60) == 1
        assert waiting.stderr is not None and "No such file or directory" in waiting.stderr.read()
        running.kill()


def test_a_results_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    words = r"results_dir is .*/file, which cannot be written \(File exists\): make room there, ask"
    with pytest.raises(UserError, match=words):
        hold_results(str(tmp_path / "file"))


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become another user")
def test_a_results_folder_of_another_user_is_named(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    said = """
import os, sys
from fedssl import lease
from fedssl.errors import UserError
from fedssl.record.run_lease import hold_results
os.setuid(65534)
try:
    hold_results(sys.argv[1])
except UserError as error:
    print(error)
"""
    # In the folder of the sources, which only root may look into.
    command = [sys.executable, "-c", said, str(tmp_path)]
    printed = subprocess.check_output(command, env={"PYTHONPATH": str(ROOT / "src")}, text=True)
    assert printed.startswith(
        f"results_dir is {tmp_path}, which cannot be written (Permission denied): make room there, "
        "ask its owner for access"
    )


def test_a_run_that_has_lost_its_folder_is_told_to_end_and_writes_no_list_of_cells(
    tmp_path: Path,
) -> None:
    said = """
import signal, sys, threading
from pathlib import Path
from types import SimpleNamespace
from fedssl import lease
from fedssl.record.run_lease import hold_results
from fedssl.record.status import write_cells

lease.BEAT_S = 0.1
told = threading.Event()
signal.signal(signal.SIGTERM, lambda *_: told.set())
hold_results(sys.argv[1])
Path(sys.argv[1], ".lease").unlink()
told.wait(60)
cells = Path(sys.argv[1], "cells.csv")
write_cells(SimpleNamespace(cells=[]), SimpleNamespace(cells=lambda: str(cells)))
print(told.is_set(), cells.exists())
"""
    command = [sys.executable, "-c", said, str(tmp_path / "results")]
    ran = subprocess.run(
        command, env={"PYTHONPATH": str(ROOT / "src")}, text=True, capture_output=True, timeout=120
    )
    assert ran.stdout == "True False\n", ran.stderr
    stopped, cells = ran.stderr.splitlines()
    assert stopped.endswith(".lease was removed. No further job starts.")
    assert "cells.csv is not up to date: " in cells
