"""A cell in Flower's simulation: the bits of the native engine, also when it was interrupted."""

import copy
import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from fedssl.files import sha256
from tests.flower.loopback import environment
from tests.unit.federations import SETTINGS, history, lay_out, run

pytest.importorskip("flwr", reason="flwr is not installed here: make test-flower")
FEDERATION: dict[str, Any] = SETTINGS["federation"]  # type: ignore[assignment]
SHORT = FEDERATION | {"rounds": 3, "fraction": 0.75, "local_epochs": 1}
# Ends itself after the checkpoint of a round, if one is named.
_PROGRAM = """
import json, os, signal, sys
from fedssl.federation import rounds
from fedssl.flower.simulation import pretrain

given = json.loads(sys.argv[1])
last, save = given.pop("last"), rounds.save_checkpoint

def watched(folder, round_number, *rest, **more):
    save(folder, round_number, *rest, **more)
    if round_number == last:
        os.killpg(os.getpid(), signal.SIGKILL)

rounds.save_checkpoint = watched
print("FACTS", json.dumps(pretrain(given.pop("settings"), **given)))
"""


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    return lay_out(tmp_path_factory.mktemp("federation"))


def simulated(
    inputs: dict[str, str], folder: Path, *, last: int = 0, **changes: object
) -> "subprocess.CompletedProcess[str]":
    """Run a cell in a process of its own, which is killed after the round `last`."""
    given = {
        "settings": copy.deepcopy(SETTINGS) | changes,
        "inputs": inputs,
        "clients": 2,
        "checkpoints": str(folder / "state"),
        "last": last,
        "model": str(folder / "model.safetensors"),
        "rounds": str(folder / "rounds.csv"),
        "milestones": str(folder / "milestones"),
    }
    return subprocess.run(
        [sys.executable, "-c", _PROGRAM, json.dumps(given)],
        env=environment(folder.parent),
        capture_output=True,
        text=True,
        start_new_session=True,
    )


def facts(ran: "subprocess.CompletedProcess[str]") -> dict[str, Any]:
    assert ran.returncode == 0, ran.stderr[-2000:]
    line = next(line for line in ran.stdout.splitlines() if line.startswith("FACTS "))
    found: dict[str, Any] = json.loads(line.removeprefix("FACTS "))
    return found


@pytest.mark.slow
@pytest.mark.parametrize(
    "aggregator",
    [
        {"name": "fedavg"},
        {"name": "l-dawa", "warmup_rounds": 1, "scale_buffers": True},
        {"name": "fedu", "mu": 0.01},
        {"name": "scaffold-bb"},
    ],
    ids=lambda aggregator: aggregator["name"],
)
def test_a_simulation_trains_the_bits_of_the_native_engine(
    inputs: dict[str, str], tmp_path: Path, aggregator: dict[str, object]
) -> None:
    changes = {"federation": SHORT, "aggregator": aggregator}
    native = run(inputs, tmp_path / "native", **changes)
    found = facts(simulated(inputs, tmp_path / "flower", **changes))
    assert found["engine"]["name"] == "flower" and found["engine"]["runtime"] == "simulation"
    assert sha256(tmp_path / "flower" / "model.safetensors") == sha256(native)
    assert history(tmp_path / "flower") == history(tmp_path / "native")


@pytest.mark.slow
@pytest.mark.parametrize("aggregator", ["fedavg-bb", "fedu"])
def test_a_simulation_that_is_killed_ends_with_the_same_bits(
    inputs: dict[str, str], tmp_path: Path, aggregator: str
) -> None:
    rule = {"name": aggregator, **({"mu": 0.01} if aggregator == "fedu" else {})}
    changes = {"federation": SHORT, "aggregator": rule}
    native = run(inputs, tmp_path / "native", **changes)
    killed = simulated(inputs, tmp_path / "flower", last=2, **changes)
    assert killed.returncode == -signal.SIGKILL
    assert facts(simulated(inputs, tmp_path / "flower", **changes))["resumed_after_round"] == 2
    assert sha256(tmp_path / "flower" / "model.safetensors") == sha256(native)
    assert history(tmp_path / "flower") == history(tmp_path / "native")
