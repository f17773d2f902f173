"""Leases between real processes: who has one, when it is over, and who gets it then."""

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from fedssl import lease
from fedssl.errors import UserError
from fedssl.files import write_text
from fedssl.lease import LostLease, hold, take
from fedssl.lease_file import read_owner, read_sign
from fedssl.owner import this_process
from fedssl.record.run_lease import hold_results
from tests.unit.archives import ROOT

# Other hosts, users and boots are processes that say that they are one.
PROCESS = """
import dataclasses, json, logging, sys, time
from pathlib import Path
from fedssl import lease
from fedssl.files import write_text

path, said, times, body = sys.argv[1], *map(json.loads, sys.argv[2:4]), sys.argv[4]
real = lease.this_process
lease.this_process = lambda: dataclasses.replace(real(), **said)
for name, seconds in times.items():
    setattr(lease, name, seconds)
logging.basicConfig(level=logging.INFO, stream=sys.stdout, format="%(message)s")
with lease.hold(Path(path), what="the cell", wait=60):
    print("holds", flush=True)
    exec(body)
"""
FAST = {"BEAT_S": 0.1, "SILENT_S": 1.0, "WATCH_S": 0.4, "POLL_S": 0.05}
ELSEWHERE = {"host": "node7", "boot": "another boot"}


def process(path: Path, body: str = "time.sleep(600)", **said: str) -> subprocess.Popen[str]:
    words = (str(path), json.dumps(said), json.dumps(FAST), body)
    return subprocess.Popen(
        [sys.executable, "-u", "-c", PROCESS, *words],
        env={"PYTHONPATH": str(ROOT / "src")},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@contextmanager
def owner(
    path: Path, body: str = "time.sleep(600)", **said: str
) -> Iterator[subprocess.Popen[str]]:
    """A process that holds a lease."""
    with process(path, body, **said) as running:
        try:
            assert running.stdout is not None and running.stdout.readline() == "holds\n"
            yield running
        finally:
            running.kill()


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name, seconds in FAST.items():
        monkeypatch.setattr(lease, name, seconds)
    return tmp_path / "folder" / ".lease"


def left(path: Path) -> list[str]:
    return sorted(file.name for file in path.parent.iterdir())


def test_a_second_process_is_told_in_one_sentence_who_writes_since_when(path: Path) -> None:
    with owner(path, slurm_job="55", user="alice") as running:
        with pytest.raises(UserError) as refused, hold(path, what="results/x"):
            pytest.fail("both hold it")
        since = read_owner(path).since  # type: ignore[union-attr]
        assert str(refused.value) == (
            f"results/x is being written by process {running.pid} of alice on {os.uname().nodename}"
            f" (Slurm job 55) since {since}; wait until that has ended, or stop it by `scancel 55` "
            "and wait for its end, then run again: its progress is kept."
        )
        assert left(path) == [".lease"]
    moment = datetime.strptime(since, "%Y-%m-%d %H:%M:%S UTC").replace(tzinfo=UTC)
    assert abs(time.time() - moment.timestamp()) < 600


def test_a_process_that_ends_gives_its_lease_back(path: Path) -> None:
    with owner(path, "pass") as running:
        assert running.wait() == 0 and left(path) == []
    with hold(path, what="x"):
        assert left(path) == [".lease"]
    assert left(path) == []


def test_one_that_waits_gets_the_lease_when_the_owner_has_ended(path: Path) -> None:
    with owner(path, "time.sleep(1)") as first, process(path, "pass") as second:
        said = second.communicate(timeout=60)[0].splitlines()
        assert first.wait() == 0 and second.returncode == 0
        assert said[0].startswith("waiting: the cell is being written by") and said[1] == "holds"
    assert left(path) == []


@pytest.mark.parametrize("kill", [signal.SIGKILL, signal.SIGTERM])
def test_a_killed_owner_is_followed_at_once(path: Path, kill: signal.Signals) -> None:
    with owner(path) as running:
        os.kill(running.pid, kill)
        running.wait()
        began = time.monotonic()
        with hold(path, what="x"):
            assert time.monotonic() - began < FAST["SILENT_S"] / 2
            assert read_owner(path).pid == os.getpid()  # type: ignore[union-attr]
    assert left(path) == []


def test_an_owner_that_has_ended_and_was_not_waited_for_is_followed_at_once(path: Path) -> None:
    with owner(path) as running:
        os.kill(running.pid, signal.SIGKILL)
        os.waitid(os.P_PID, running.pid, os.WEXITED | os.WNOWAIT)
        with hold(path, what="x"):
            pass


def test_a_process_that_got_the_number_of_a_dead_one_does_not_keep_its_lease(path: Path) -> None:
    with owner(path, "time.sleep(600)", started="1"), hold(path, what="x"):
        pass


def test_a_stopped_owner_on_this_host_keeps_its_lease(path: Path) -> None:
    with owner(path) as running:
        os.kill(running.pid, signal.SIGSTOP)
        time.sleep(2 * FAST["SILENT_S"])
        with pytest.raises(UserError, match=f"process {running.pid} "), hold(path, what="x"):
            pytest.fail("both hold it")


def test_an_owner_on_another_host_keeps_its_lease_while_it_gives_signs_of_life(path: Path) -> None:
    with owner(path, **ELSEWHERE):
        began = time.monotonic()
        with pytest.raises(UserError, match="on node7 "), hold(path, what="x", wait=2.5):
            pytest.fail("both hold it")
        assert time.monotonic() - began >= 2.5


def test_a_dead_owner_on_another_host_is_followed_when_it_was_silent(path: Path) -> None:
    with owner(path, **ELSEWHERE) as running:
        running.kill()
        running.wait()
        began = time.monotonic()
        with hold(path, what="x", wait=60):
            assert FAST["SILENT_S"] / 2 < time.monotonic() - began < 4 * FAST["SILENT_S"]


def test_silence_counts_by_the_clock_of_the_file_system(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # This host's clock is a day ahead, and is never asked.
    monkeypatch.setattr(time, "time", lambda: time.monotonic() + 86400 * 365 * 60)
    with (
        owner(path, **ELSEWHERE),
        pytest.raises(UserError, match="on node7 "),
        hold(path, what="x"),
    ):
        pytest.fail("both hold it")


@pytest.mark.parametrize("age", [-3600, 3600])
def test_no_old_or_future_time_of_the_file_takes_the_lease_of_a_living_owner(
    path: Path, age: int
) -> None:
    """As after a stand-still of the file server, or with a server's clock that was set back."""
    with owner(path, **ELSEWHERE):
        found = read_sign(path)
        assert found is not None
        os.utime(path, ns=2 * (found.mtime_ns - age * 10**9,))
        with pytest.raises(UserError, match="on node7 "), hold(path, what="x"):
            pytest.fail("both hold it")


def test_a_lease_from_before_a_reboot_is_not_believed(path: Path) -> None:
    with owner(path, host=os.uname().nodename, boot="an earlier boot") as running:
        running.kill()
        running.wait()
        uptime = time.clock_gettime(time.CLOCK_BOOTTIME)
        os.utime(path, (time.time() - uptime - 60,) * 2)
        began = time.monotonic()
        with hold(path, what="x"):
            assert time.monotonic() - began < FAST["WATCH_S"]


def test_a_requeued_job_waits_for_its_own_earlier_attempt_and_follows_it(path: Path) -> None:
    with (
        owner(path, **ELSEWHERE, slurm_job="55") as first,
        process(path, "pass", slurm_job="55") as second,
    ):
        time.sleep(2 * FAST["SILENT_S"])
        assert second.poll() is None, "it takes the lease of a living attempt"
        first.kill()
        said, _ = second.communicate(timeout=30)
        assert second.returncode == 0 and said.startswith("waiting: the cell is being written by")


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
