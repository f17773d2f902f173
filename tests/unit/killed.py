"""Run a job in a process that SIGKILL ends in the middle."""

import json
import signal
import subprocess
import sys
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
