"""What Slurm knows about jobs: the controller's queue first, then the accounts."""

import os
import subprocess
import threading
import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass

ENDED = frozenset({"COMPLETED", "FAILED", "CANCELLED", "TIMEOUT", "DEADLINE", "OUT_OF_MEMORY"})
ENDED |= {"NODE_FAIL", "BOOT_FAIL", "PREEMPTED", "LAUNCH_FAILED", "RECONFIG_FAIL", "REVOKED"}
GONE = "UNKNOWN"  # of a job that neither the queue nor the accounts have
_SECONDS = 60
_FIELDS = "%A|%T|%r|%Z|%k"


class SlurmError(Exception):
    """A command of Slurm failed; the message is what it printed."""


@dataclass(frozen=True)
class QueuedJob:
    """A job as squeue shows it; the comment is the one it was submitted with."""

    state: str
    reason: str
    folder: str
    comment: str

    @property
    def ended(self) -> bool:
        """Whether the job will run no more."""
        return self.state in ENDED

    @property
    def waits(self) -> bool:
        """Whether the job waits for its turn."""
        return self.state == "PENDING"


class Queue:
    """The user's jobs in the queue, asked for at most every few seconds."""

    def __init__(self) -> None:
        """Start without an answer."""
        self._lock = threading.Lock()
        self._answer: dict[str, QueuedJob] = {}
        self._asked = float("-inf")

    def jobs(self, max_age: float = 0.0) -> dict[str, QueuedJob]:
        """Return {id: job}, from an answer that is at most `max_age` seconds old.

        Jobs that ended stay for a while (MinJobAge of slurm.conf).

        Raises:
            SlurmError: The controller does not answer.
        """
        with self._lock:
            if time.monotonic() - self._asked > max_age:
                options = ["--noheader", "--states=all", f"--user={os.getuid()}"]
                lines = answer(["squeue", *options, f"--format={_FIELDS}"]).splitlines()
                rows = (line.split("|", 5) for line in lines if line.count("|") >= 4)
                self._answer = {number: QueuedJob(*fields) for number, *fields in rows}
                self._asked = time.monotonic()
            return self._answer


def accounted(numbers: Collection[str]) -> dict[str, str]:
    """Return {id: state} of the jobs that the accounts know; none where no accounts are kept.

    Raises:
        SlurmError: The accounts cannot be read now.
    """
    options = ["--allocations", "--noheader", "--parsable2", "--format=JobIDRaw,State"]
    try:
        lines = answer(["sacct", *options, f"--jobs={','.join(numbers)}"]).splitlines()
    except SlurmError as error:
        if "accounting storage is disabled" in str(error):
            return {}
        raise
    rows = (line.split("|") for line in lines)
    # "CANCELLED by 1000" is a state, too.
    return {number: state.split()[0] for number, state in rows if state}


def answer(command: Sequence[str], text: str | None = None) -> str:
    """Return what a command prints that is given `text` as its standard input.

    Raises:
        SlurmError: The command failed, or did not end.
    """
    try:
        done = subprocess.run(
            command, input=text, capture_output=True, text=True, timeout=_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise SlurmError(str(error)) from error
    if done.returncode != 0:
        raise SlurmError(done.stderr.strip() or f"{command[0]} ended with {done.returncode}")
    return done.stdout
