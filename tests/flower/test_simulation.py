"""A cell in Flower's simulation: the bits of the native engine, also when it was interrupted."""

import signal
from pathlib import Path
from typing import Any

import pytest

from fedssl.files import sha256
from tests.flower.job import facts, start
from tests.unit.federations import SETTINGS, history, run

pytest.importorskip("flwr", reason="flwr is not installed here: make test-flower")
FEDERATION: dict[str, Any] = SETTINGS["federation"]  # type: ignore[assignment]
SHORT = FEDERATION | {"rounds": 3, "fraction": 0.75, "local_epochs": 1}


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
    found = facts(start(tmp_path / "flower", inputs, home=tmp_path, clients=2, **changes))
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
    here = {"home": tmp_path, "clients": 2}
    killed = start(tmp_path / "flower", inputs, last=2, **here, **changes)
    killed.communicate(timeout=1800)
    assert killed.returncode == -signal.SIGKILL
    resumed = start(tmp_path / "flower", inputs, **here, **changes)
    assert facts(resumed)["resumed_after_round"] == 2
    assert sha256(tmp_path / "flower" / "model.safetensors") == sha256(native)
    assert history(tmp_path / "flower") == history(tmp_path / "native")
