"""Leases between real processes: who has one, and when it is over."""

import os
import signal
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from fedssl.errors import UserError
from fedssl.lease import hold
from fedssl.lease_file import read_owner, read_sign
from tests.unit.leases import ELSEWHERE, FAST, hurry, left, never_silent, owner, process


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    hurry(monkeypatch)
    return tmp_path / "folder" / ".lease"


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
    with owner(path, "sys.stdin.readline()") as first, process(path, "pass") as second:
        assert second.stdout is not None
        assert second.stdout.readline().startswith("waiting: the cell is being written by")
        first.communicate("\n")
        assert second.communicate(timeout=60)[0] == "holds\n"
        assert first.returncode == 0 and second.returncode == 0
    assert left(path) == []


@pytest.mark.parametrize("kill", [signal.SIGKILL, signal.SIGTERM])
def test_a_killed_owner_is_followed_at_once(
    path: Path, kill: signal.Signals, monkeypatch: pytest.MonkeyPatch
) -> None:
    never_silent(monkeypatch)
    with owner(path) as running:
        os.kill(running.pid, kill)
        running.wait()
        with hold(path, what="x"):
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
    wait = 2 * FAST["SILENT_S"]
    with owner(path, **ELSEWHERE):
        began = time.monotonic()
        with pytest.raises(UserError, match="on node7 "), hold(path, what="x", wait=wait):
            pytest.fail("both hold it")
        assert time.monotonic() - began >= wait


def test_a_dead_owner_on_another_host_is_followed_when_it_was_silent(path: Path) -> None:
    with owner(path, **ELSEWHERE) as running:
        running.kill()
        running.wait()
        began = time.monotonic()
        with hold(path, what="x", wait=60):
            assert time.monotonic() - began > FAST["SILENT_S"] / 2


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


def test_a_lease_from_before_a_reboot_is_not_believed(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    never_silent(monkeypatch)
    with owner(path, host=os.uname().nodename, boot="an earlier boot") as running:
        running.kill()
        running.wait()
        uptime = time.clock_gettime(time.CLOCK_BOOTTIME)
        os.utime(path, (time.time() - uptime - 60,) * 2)
        with hold(path, what="x"):
            pass


def test_a_requeued_job_waits_for_its_own_earlier_attempt_and_follows_it(path: Path) -> None:
    with (
        owner(path, **ELSEWHERE, slurm_job="55") as first,
        process(path, "pass", slurm_job="55") as second,
    ):
        assert second.stdout is not None and second.stdout.readline().startswith("waiting: ")
        time.sleep(2 * FAST["SILENT_S"])
        assert second.poll() is None, "it takes the lease of a living attempt"
        first.kill()
        assert "took over" in second.communicate(timeout=60)[0] and second.returncode == 0
