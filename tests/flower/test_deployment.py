"""A cell on a SuperLink with SuperNodes over TLS: our bits, and a killed node is a dropout."""

import subprocess
from pathlib import Path
from typing import Any

import pytest

from fedssl.files import sha256
from tests.flower.job import facts, start
from tests.flower.loopback import NAME, Deployment, deployment, until
from tests.unit.federations import SETTINGS, history, run

pytest.importorskip("flwr", reason="flwr is not installed here: make test-flower")
FEDERATION: dict[str, Any] = SETTINGS["federation"]  # type: ignore[assignment]
CELL = {
    "aggregator": {"name": "fedavg-bb"},
    "federation": FEDERATION | {"rounds": 2, "fraction": 1.0, "local_epochs": 1},
}


def submitted(folder: Path, inputs: dict[str, str]) -> "subprocess.Popen[str]":
    """Start to pretrain `CELL` on the SuperLink whose files are in `folder`."""
    return start(folder / "flower", inputs, home=folder, clients=1, superlink=NAME, **CELL)


def two_nodes(place: Deployment, inputs: dict[str, str]) -> None:
    place.add_node("first", [0, 2], inputs)
    place.add_node("second", [1, 3], inputs)


@pytest.mark.slow
def test_a_deployment_over_tls_trains_the_bits_of_the_native_engine(
    inputs: dict[str, str], tmp_path: Path
) -> None:
    native = run(inputs, tmp_path / "native", **CELL)
    with deployment(tmp_path) as place:
        two_nodes(place, inputs)
        found = facts(submitted(tmp_path, inputs))
    assert found["engine"]["runtime"] == "deployment"
    assert sha256(tmp_path / "flower" / "model.safetensors") == sha256(native)
    assert history(tmp_path / "flower") == history(tmp_path / "native")
    # Each client's head is on its own node, and nowhere else.
    heads = {
        name: {path.parent.name for path in (tmp_path / name).glob("*/*/round2.safetensors")}
        for name in ("first", "second")
    }
    assert heads == {"first": {"0", "2"}, "second": {"1", "3"}}


@pytest.mark.slow
def test_a_node_that_is_killed_in_a_round_is_a_dropout(
    inputs: dict[str, str], tmp_path: Path
) -> None:
    with deployment(tmp_path) as place:
        two_nodes(place, inputs)
        job = submitted(tmp_path, inputs)
        log = tmp_path / "second.log"
        until(lambda: "ROUND 2]" in log.read_text(errors="replace"))
        place.kill("second")
        job.communicate(timeout=1800)
    assert job.returncode == 0
    rows = history(tmp_path / "flower")
    fates = {(int(row["round"]), int(row["client"])): row["absent"] for row in rows}
    assert all(fates[1, client] == "" for client in range(4))
    assert {client for client in range(4) if fates[2, client] == "dropout"} == {1, 3}
    assert all(row["loss"] for row in rows if row["absent"] == "")
