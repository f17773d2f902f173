"""Run a job in a process that SIGKILL ends in the middle."""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
# `count` calls of one method return, and then the kernel ends the process.
_VICTIM = """
import importlib, json, os, signal, sys

(module, name), (place, owner, method), count, (settings, arguments) = json.loads(sys.argv[1])
owner = getattr(importlib.import_module(place), owner)
original, calls = getattr(owner, method), []

def watched(*given):
    original(*given)
    calls.append(given)
    if len(calls) == count:
        os.kill(os.getpid(), signal.SIGKILL)

setattr(owner, method, watched)
getattr(importlib.import_module(module), name)(settings, **arguments)
"""


def killed(
    job: str, settings: Mapping[str, Any], arguments: Mapping[str, Any], *, after: str, count: int
) -> None:
    """Start `job` (module:function), and kill it after some calls of `after` (module:class.method).

    Settings and arguments must be plain data.
    """
    place, _, attribute = after.partition(":")
    given = [job.split(":"), [place, *attribute.split(".")], count, [settings, arguments]]
    process = subprocess.run(
        [sys.executable, "-c", _VICTIM, json.dumps(given)], env={"PYTHONPATH": str(ROOT / "src")}
    )
    assert process.returncode == -signal.SIGKILL


def lives(process: int) -> bool:
    """Return whether a process runs; one that ended and was not waited for does not."""
    try:
        status = Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except FileNotFoundError:
        return False
    return status != "Z"


def still_lives(process: int) -> bool:
    """Return whether a process that should end runs after a minute."""
    deadline = time.monotonic() + 60
    while lives(process) and time.monotonic() < deadline:
        time.sleep(0.05)
    return lives(process)


def children(process: int) -> list[int]:
    """Return the processes that a process has started and that run."""
    try:
        listed = Path(f"/proc/{process}/task/{process}/children").read_text().split()
    except FileNotFoundError:
        return []
    return [int(child) for child in listed]
