"""Run a command; end it and everything it started when standard input closes.

The kernel closes standard input when the process at its other end is gone, however it ended, so
nothing outlives a test that was interrupted or killed. Slurm's job steps leave the process group
of the daemon that started them; as "subreaper" this process becomes the parent of all of them.
"""

import ctypes
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

PR_SET_CHILD_SUBREAPER = 36
GRACE_SECONDS = 10
POLL_SECONDS = 0.2


@contextmanager
def supervised(
    command: list[str], *, env: dict[str, str], log: Path, cwd: Path | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """Run `command` in the background; on leaving, end it and all its descendants."""
    reader, writer = os.pipe()
    with log.open("wb") as output, os.fdopen(reader) as alive:
        process = subprocess.Popen(
            [sys.executable, __file__, *command],
            stdin=alive,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=env,
            cwd=cwd,
            start_new_session=True,  # Ctrl-C is for the test, which then ends this in order
        )
    try:
        yield process
    finally:
        os.close(writer)
        process.wait()


def main(command: list[str]) -> int:
    """Return the exit status of `command`, negative where a signal ended it."""
    if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_CHILD_SUBREAPER)")
    no_input = [(os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0)]
    # A shell's background jobs ignore Ctrl-C, and so would what they start.
    heard = [signal.SIGINT]
    child = os.posix_spawnp(command[0], command, os.environ, file_actions=no_input, setsigdef=heard)
    status = None
    while status is None and not select.select([sys.stdin], [], [], POLL_SECONDS)[0]:
        status = _reap(child)
    if status is None:
        status = _terminate(child)
    while pids := _children():
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
    return -signal.SIGKILL if status is None else status


def _terminate(child: int) -> int | None:
    """Ask `child` to end; return its status, or None where it did not within the grace time."""
    os.kill(child, signal.SIGTERM)
    deadline = time.monotonic() + GRACE_SECONDS
    while (status := _reap(child)) is None and time.monotonic() < deadline:
        time.sleep(POLL_SECONDS)
    return status


def _reap(child: int) -> int | None:
    """Collect the processes that have ended; return the status of `child` if it is one of them."""
    status = None
    with suppress(ChildProcessError):
        while (ended := os.waitpid(-1, os.WNOHANG))[0] != 0:
            if ended[0] == child:
                status = os.waitstatus_to_exitcode(ended[1])
    return status


def _children() -> list[int]:
    """Return the ids of this process's children, adopted ones included."""
    pids = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = stat.read_text().rpartition(")")[2].split()[1]
        except OSError:  # that process has ended meanwhile
            continue
        if int(parent) == os.getpid():
            pids.append(int(stat.parent.name))
    return pids


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]) & 0xFF)
