"""A pretraining on the engine `flower` as a process of its own, as a job of the workflow has it."""

import copy
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.flower.loopback import environment
from tests.unit.federations import SETTINGS

# Ends itself after the checkpoint of the round `last`, if there is one.
_PROGRAM = """
import json, os, signal, sys
from fedssl.federation import rounds
from fedssl.federation.engine import pretraining

given = json.loads(sys.argv[1])
last, save = given.pop("last"), rounds.save_checkpoint

def watched(folder, round_number, *rest, **more):
    save(folder, round_number, *rest, **more)
    if round_number == last:
        os.killpg(os.getpid(), signal.SIGKILL)

rounds.save_checkpoint = watched
pretrain = pretraining("flower", given.pop("superlink"))
print("FACTS", json.dumps(pretrain(given.pop("settings"), **given)))
"""


def start(
    folder: Path,
    inputs: dict[str, str],
    *,
    home: Path,
    clients: int,
    superlink: str = "",
    last: int = 0,
    **changes: object,
) -> "subprocess.Popen[str]":
    """Start to pretrain `SETTINGS` with `changes`; Flower's own files are in `home`."""
    given = {
        "settings": copy.deepcopy(SETTINGS) | changes,
        "inputs": inputs,
        "clients": clients,
        "checkpoints": str(folder / "state"),
        "superlink": superlink,
        "last": last,
        "model": str(folder / "model.safetensors"),
        "rounds": str(folder / "rounds.csv"),
        "milestones": str(folder / "milestones"),
    }
    return subprocess.Popen(
        [sys.executable, "-c", _PROGRAM, json.dumps(given)],
        env=environment(home),
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def facts(job: "subprocess.Popen[str]") -> dict[str, Any]:
    """Wait for the job; return the facts for its record."""
    said, _ = job.communicate(timeout=1800)
    assert job.returncode == 0
    line = next(line for line in said.splitlines() if line.startswith("FACTS "))
    found: dict[str, Any] = json.loads(line.removeprefix("FACTS "))
    return found
