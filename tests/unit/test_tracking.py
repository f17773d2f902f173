"""Trackers: what they are told about each round, and that they cannot cost a training."""

import contextlib
import logging
import math
import struct
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from tensorboardX.proto.event_pb2 import Event

from fedssl.errors import UserError
from fedssl.federation.checkpoint import load_state
from fedssl.federation.tracking import round_metrics, tracking
from fedssl.files import sha256
from tests.unit.federations import SETTINGS, history, lay_out, run

SENT: list[tuple[int, Mapping[str, float]]] = []


@contextlib.contextmanager
def recorder(cell: str, done: int) -> Iterator:
    SENT.append((done, {"cell": cell}))
    yield lambda number, metrics: SENT.append((number, metrics))
    SENT.append((-1, {}))


@contextlib.contextmanager
def broken(cell: str, done: int) -> Iterator:
    def fail(number: int, metrics: Mapping[str, float]) -> None:
        raise ConnectionError("no route to host")

    yield fail


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    return lay_out(tmp_path_factory.mktemp("tracking"))


@pytest.fixture(scope="module")
def untracked(inputs: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    return run(inputs, tmp_path_factory.mktemp("untracked"))


def test_a_tracker_gets_each_round_once_and_changes_nothing(
    inputs: dict[str, str], untracked: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FEDSSL_TRACK", f"{__name__}:recorder")
    SENT.clear()
    assert sha256(run(inputs, tmp_path)) == sha256(untracked)
    assert [number for number, _ in SENT] == [0, 1, 2, 3, 4, -1]
    rows = [row for row in history(tmp_path) if row["round"] == "3"]
    norms = {row["client"]: float(row["update_norm"]) for row in rows}
    third = SENT[3][1]
    assert third["update_norm"] == pytest.approx(sum(norms.values()) / len(norms))
    assert third["clients"] == len(norms) == 2
    assert third["learning_rate"] == SETTINGS["optimiser"]["lr"]
    assert {"loss", "loss/image", "loss/audio", "loss_std", "seconds"} <= third.keys()


def test_the_norm_is_that_of_the_change_of_the_model(
    inputs: dict[str, str], tmp_path: Path
) -> None:
    """With one client a round, the server's model changes by the client's update."""
    federation = {**SETTINGS["federation"], "fraction": 0.25, "rounds": 1, "kept_rounds": [0]}
    after = load_state(run(inputs, tmp_path, federation=federation))
    before = load_state(next(tmp_path.rglob("round0.safetensors")))
    trained = [name for name in after if "running" not in name and after[name].is_floating_point()]
    squares = [(after[name] - before[name]).double().square().sum() for name in trained]
    (norm,) = {row["update_norm"] for row in history(tmp_path)}
    assert float(norm) == pytest.approx(math.sqrt(sum(squares)), rel=1e-5)


def test_a_tracker_that_fails_costs_no_training(
    inputs: dict[str, str],
    untracked: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setenv("FEDSSL_TRACK", f"{__name__}:broken")
    with caplog.at_level(logging.WARNING):
        assert sha256(run(inputs, tmp_path)) == sha256(untracked)
    (warning,) = [r.getMessage() for r in caplog.records if "tracker" in r.getMessage()]
    assert warning.endswith("failed and is left out: no route to host")


@pytest.mark.parametrize("name", ["tensorbord", "no_such_module:function", f"{__name__}:nothing"])
def test_an_unknown_tracker_is_refused(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FEDSSL_TRACK", name)
    with (
        pytest.raises(UserError, match=rf"track is {name}, but .*`tensorboard`"),
        tracking("c", done=0),
    ):
        pass


def test_tensorboard_files_hold_the_rounds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FEDSSL_TRACK", "tensorboard")
    rows = [row(client, 2.0 * client, 3.0) for client in (1, 2)]
    with tracking("../results/a/cell", done=4) as track:
        track(5, rows)
    events = list(_events(tmp_path / "runs/results/a/cell"))
    found = {v.tag: (e.step, v.simple_value) for e in events for v in e.summary.value}
    assert found["loss"] == (5, 3.0)
    assert found["loss_std"] == (5, pytest.approx(math.sqrt(2)))
    assert found["update_norm_std"] == (5, 0.0)
    # A reader leaves out what an interrupted attempt wrote from round 5 on.
    assert [e.step for e in events if e.HasField("session_log")] == [5]


LOSSES = {"image": 1.0, "audio": 9.0}


def row(client: int, loss: float | None, norm: float, **more: object) -> dict[str, object]:
    base = {"round": 5, "client": client, "modality": "audio", "samples": 10, "learning_rate": 0.1}
    return {**base, "loss": loss, "update_norm": norm, "seconds": 1.0, "dropped": None, **more}


def test_updates_that_were_not_used_do_not_count() -> None:
    rows = [row(1, 2.0, 3.0), row(2, 9.0, 99.0, dropped="not finite"), row(3, None, 0.0)]
    found = round_metrics(rows)
    assert (found["loss"], found["update_norm"], found["clients"]) == (2.0, 3.0, 1)
    assert found["seconds"] == 3.0
    assert "loss_std" not in found
    assert round_metrics(rows[1:]) == {"clients": 0, "seconds": 2.0}
    central = {name: value for name, value in row(0, 2.0, 3.0).items() if name != "update_norm"}
    assert round_metrics([central])["loss"] == 2.0


def test_the_spread_is_that_of_clients_and_not_of_modalities() -> None:
    rows = [row(client, loss, 3.0, modality=m) for client in (1, 2) for m, loss in LOSSES.items()]
    found = round_metrics(rows)
    assert (found["loss_std"], found["loss/image"], found["loss/audio"]) == (0.0, 1.0, 9.0)


def _events(folder: Path) -> Iterator[Event]:
    """Yield the events of a file of TensorFlow records: length, its CRC, data, its CRC."""
    (file,) = folder.iterdir()
    data = file.read_bytes()
    while data:
        (size,) = struct.unpack("<Q", data[:8])
        yield Event.FromString(data[12 : 12 + size])
        data = data[16 + size :]
