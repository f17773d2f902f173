"""The processes of a run: those of its session, also after their parents have died."""

import contextlib
import os
import signal
import time
from pathlib import Path

_SESSION = 3  # place of the session among the fields after the name in /proc/<pid>/stat


def of_session(session: int) -> list[int]:
    """Return the living processes of a session."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
            if int(fields[_SESSION]) == session and fields[0] != "Z":
                found.append(int(folder.name))
    return found


def jobs_of_session(session: int) -> list[int]:
    """Return the processes of a session that run the script of a rule."""
    found = []
    for pid in of_session(session):
        with contextlib.suppress(OSError):
            if b".snakemake/scripts/" in Path(f"/proc/{pid}/cmdline").read_bytes():
                found.append(pid)
    return found


def kill_session(session: int) -> int:
    """End all processes of a session at once, as a node failure does; return their number."""
    killed: set[int] = set()
    while left := of_session(session):
        for pid in left:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        killed.update(left)
        time.sleep(0.01)
    return len(killed)


def ended(session: int, *, seconds: float) -> bool:
    """Wait until no process of a session lives; return whether that happened in time."""
    deadline = time.monotonic() + seconds
    while of_session(session):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.1)
    return True
