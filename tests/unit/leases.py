"""Processes that hold leases, and say that they are on other hosts or of other users."""

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

from fedssl import lease
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
FAST = {"BEAT_S": 0.1, "SILENT_S": 2.0, "WATCH_S": 0.5, "POLL_S": 0.05}
ELSEWHERE = {"host": "node7", "boot": "another boot"}


def process(
    path: Path,
    body: str = "time.sleep(600)",
    *,
    times: Mapping[str, float] = FAST,
    **said: str,
) -> subprocess.Popen[str]:
    words = (str(path), json.dumps(said), json.dumps(times), body)
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


def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let this process beat and wait as fast as the others."""
    for name, seconds in FAST.items():
        monkeypatch.setattr(lease, name, seconds)


def never_silent(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let this process believe in every owner that it does not see to have ended."""
    monkeypatch.setattr(lease, "SILENT_S", 1e9)


def left(path: Path) -> list[str]:
    return sorted(file.name for file in path.parent.iterdir())
