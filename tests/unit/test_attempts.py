"""Attempts of a job that resumes: never two at once, and a count of those killed without notice."""

import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from fedssl.errors import OutOfMemory, UserError
from fedssl.record.attempts import num_kills, only_attempt

JOB = """
import sys, time
from fedssl.record.attempts import only_attempt

with only_attempt(sys.argv[1] + ".json", state=sys.argv[1]):
    print("started", flush=True)
    time.sleep(600)
"""


@contextmanager
def running(state: Path) -> Iterator[subprocess.Popen[str]]:
    """An attempt in a process of its own, which has begun."""
    command = [sys.executable, "-c", textwrap.dedent(JOB), str(state)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as job:
        try:
            assert job.stdout is not None and job.stdout.readline() == "started\n"
            yield job
        finally:
            job.kill()


def test_only_attempts_that_are_killed_without_notice_are_counted(tmp_path: Path) -> None:
    state = tmp_path / "state"
    counts = []
    for sent in (signal.SIGKILL, signal.SIGKILL, signal.SIGTERM, signal.SIGKILL):
        with running(state) as job:
            os.kill(job.pid, sent)
            job.wait()
        counts.append(num_kills(str(state)))
    assert counts == [1, 2, 0, 1], "a time limit sends SIGTERM, and lack of memory SIGKILL"


@pytest.mark.parametrize(
    ("error", "kills"),
    [(OutOfMemory("a worker was killed"), 1), (MemoryError(), 1), (UserError("a mistake"), 0)],
)
def test_an_error_counts_if_memory_ran_out(tmp_path: Path, error: Exception, kills: int) -> None:
    state = str(tmp_path / "state")
    with pytest.raises(type(error)), only_attempt(f"{state}.json", state=state):
        raise error
    assert num_kills(state) == kills


def test_success_leaves_nothing_behind(tmp_path: Path) -> None:
    state, before = tmp_path / "folder" / "state", signal.getsignal(signal.SIGTERM)
    for _ in range(2):
        with only_attempt(f"{state}.json", state=str(state)):
            assert num_kills(str(state)) == 1
    assert list(state.parent.iterdir()) == [] and signal.getsignal(signal.SIGTERM) == before


@pytest.mark.parametrize(("record", "state"), [("state.json", "other"), ("other.json", "state")])
def test_two_jobs_never_write_to_one_record_or_state(
    tmp_path: Path, record: str, state: str
) -> None:
    with running(tmp_path / "state") as job:
        refused = rf"is being written by process {job.pid} of .*wait until .* its progress is kept"
        with (
            pytest.raises(UserError, match=refused),
            only_attempt(str(tmp_path / record), state=str(tmp_path / state)),
        ):
            pytest.fail("both jobs run")
        assert num_kills(str(tmp_path / "state")) == 1, "the refused job does not count"
    with only_attempt(str(tmp_path / "state.json"), state=str(tmp_path / "state")):
        assert num_kills(str(tmp_path / "state")) == 2


@pytest.mark.parametrize("content", ["", "[1]", '{"kills": 1e400}', '{"kills": "many"}'])
def test_a_damaged_count_of_attempts_is_no_count(tmp_path: Path, content: str) -> None:
    (tmp_path / "cell.attempt").write_text(content)
    assert num_kills(str(tmp_path / "cell")) == 0
