"""Run processes that take turns, or one process whose functions take turns."""

import contextlib
import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import psutil
from benchmarks.peers.environments import last_line, variables
from benchmarks.peers.federation import Work, prepare

Times = dict[str, list[dict[str, float]]]
# The environment of each contender in a federated round.
ROUNDS: dict[str, tuple[str, ...]] = {
    "ours": (),
    "plain": (),
    "pfl": ("pfl",),
    "flower": ("flower",),
    "engine": ("flower",),
}


class Failed(Exception):
    """A contender could not run; the message says why."""


class Contender:
    """A process that runs one round each time it is asked."""

    def __init__(self, name: str, folder: Path) -> None:
        """Start it on a prepared work."""
        self.name = name
        self._log = folder / f"{name}.log"
        with self._log.open("w") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", f"benchmarks.peers.round_{name}", str(folder)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                env=variables(ROUNDS[name]),
            )

    def turn(self) -> dict[str, float]:
        """Return what the next round took; raise Failed if the process ended."""
        assert self._process.stdin is not None and self._process.stdout is not None
        # A process that has ended is noticed by its missing answer.
        with contextlib.suppress(BrokenPipeError):
            print("turn", file=self._process.stdin, flush=True)
        if not (answer := self._process.stdout.readline()):
            raise Failed(f"{self.name} stopped: {last_line(self._log.read_text())}")
        found: dict[str, float] = json.loads(answer)
        return found

    def peak_memory(self) -> float:
        """Return the largest resident memory of the process and its children so far, in MB."""
        process = psutil.Process(self._process.pid)
        family = [process, *process.children(recursive=True)]
        return sum(_peak(each.pid) for each in family)

    def stop(self) -> None:
        """End the process."""
        self._process.communicate()


def _peak(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text()
    line = next(line for line in status.splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) / 1024


def rounds(work: Work, names: Sequence[str], *, runs: int) -> tuple[Times, dict[str, float]]:
    """Return the turns of each contender after one to warm up, and its peak memory in MB."""
    contenders: list[Contender] = []
    with tempfile.TemporaryDirectory() as name:
        prepare(Path(name), work)
        try:
            for each in names:
                contenders.append(Contender(each, Path(name)))
                contenders[-1].turn()
            found: Times = {each: [] for each in names}
            for _ in range(runs):
                for contender in contenders:
                    found[contender.name].append(contender.turn())
            return found, {each.name: each.peak_memory() for each in contenders}
        finally:
            for contender in contenders:
                contender.stop()


def functions(module: str, peers: Sequence[str]) -> dict[str, Times]:
    """Return the turns that a module of functions prints, by the title of each work."""
    command = [sys.executable, "-m", f"benchmarks.peers.{module}"]
    ran = subprocess.run(command, env=variables(peers), capture_output=True, text=True)
    if ran.returncode:
        raise Failed(f"{module} stopped: {last_line(ran.stderr)}")
    found: dict[str, Any] = json.loads(last_line(ran.stdout))
    return found
