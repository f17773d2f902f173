import copy
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from matplotlib.image import imread
from safetensors.torch import load_file

from fedssl.errors import UserError
from fedssl.federation import rounds
from fedssl.paper.palette import TRANSMISSION_COLORS
from fedssl.paper.products.communication import COLUMNS, PRODUCT, communication, write
from tests.unit.federations import SETTINGS, history, lay_out

ROUNDS, CLIENTS = 5, 4
BACKBONE, HEAD = 400, 100
KEPT = {"client_memory_bytes": 30, "server_memory_bytes": 700}


def seed(folder: Path, size: int, *, clients: int = CLIENTS) -> dict[str, str]:
    """Write what a pretraining job of `size` bytes a model leaves; each client has two rows."""
    folder.mkdir(parents=True)
    rows = [(r, c, m) for r in range(ROUNDS) for c in range(clients) for m in ("image", "audio")]
    pd.DataFrame(rows, columns=["round", "client", "modality"]).to_csv(folder / "rounds.csv")
    total = size * ROUNDS * clients
    record = {"bytes_up": total, "bytes_down": total, **KEPT}
    (folder / "provenance.json").write_text(json.dumps(record))
    return {"provenance": str(folder / "provenance.json"), "rounds": str(folder / "rounds.csv")}


def cell(folder: Path, aggregator: str, sizes: list[int], method: str = "acop") -> dict[str, Any]:
    axes = {"method": method, "arch": "vit", "split": "a100-i0-b0", "variant": "base"}
    seeds = [seed(folder / method / aggregator / str(n), size) for n, size in enumerate(sizes)]
    return {**axes, "aggregator": aggregator, "label": f"{method} {aggregator}", "seeds": seeds}


def spec(*cells: dict[str, Any], scale: str = "paper") -> dict[str, Any]:
    head = {"study": "fassl", "title": "fassl: sent", "scale": scale, "scale_note": "demo"}
    return {**head, "cells": list(cells)}


def test_bytes_add_up_over_clients_rounds_and_ways(tmp_path):
    (row,) = communication(spec(cell(tmp_path, "loss", [500, 500]))).to_dict("records")
    assert tuple(row) == COLUMNS
    assert (row["n_seeds"], row["rounds"], row["clients_per_round"]) == (2, ROUNDS, CLIENTS)
    for way in ("bytes_up", "bytes_down"):
        assert row[f"{way}_per_client_round"] == 500
        assert row[f"{way}_per_round"] == 500 * CLIENTS
        assert row[way] == 500 * CLIENTS * ROUNDS
    assert (row["client_memory_bytes"], row["server_memory_bytes"]) == (30, 700)
    assert (row["transmission"], row["status"]) == ("full", "counted")


def test_the_saving_is_the_heads_share_of_the_same_cell(tmp_path):
    cells = [
        cell(tmp_path, "loss-bb", [BACKBONE]),
        cell(tmp_path, "loss", [BACKBONE + HEAD]),
        cell(tmp_path, "fedavg", [BACKBONE + 3 * HEAD]),
        cell(tmp_path, "loss-bb", [BACKBONE], method="simclr"),  # nothing to compare with
    ]
    found = communication(spec(*cells)).saving_percent
    assert found[0] == pytest.approx(20.0)
    assert found[1:].isna().all()


def test_what_is_not_federated_sends_nothing(tmp_path):
    given = spec(cell(tmp_path, "centralised", [500]), cell(tmp_path, "fedavg", [500]))
    first = communication(given).iloc[0]
    assert first.transmission == "not federated"
    sent = [name for name in COLUMNS if name.startswith(("bytes", "client", "server"))]
    assert (first[sent] == 0).all()


def test_bytes_that_no_visits_can_have_sent_are_refused(tmp_path):
    given = cell(tmp_path, "fedavg", [500])
    path = Path(given["seeds"][0]["provenance"])
    path.write_text(json.dumps({"bytes_up": 10_000, "bytes_down": 10_001, **KEPT}))
    with pytest.raises(UserError, match=r"provenance\.json: bytes_down is 10001, which is not"):
        communication(spec(given))


@pytest.mark.parametrize("scale", ["paper", "scaled"])
def test_the_written_ledger_says_what_is_counted_and_at_which_scale(tmp_path, scale):
    cells = [cell(tmp_path, "loss", [500]), cell(tmp_path, "loss-bb", [400])]
    given = spec(*cells, scale=scale)
    write(given, {"csv": tmp_path / "out.csv", "md": tmp_path / "out.md"})
    frame, text = pd.read_csv(tmp_path / "out.csv"), (tmp_path / "out.md").read_text()
    assert tuple(frame.columns) == COLUMNS
    assert frame.bytes_up.tolist() == [10_000, 8_000]
    assert "float32" in text and "buffers" in text and "without protocol overhead" in text
    assert "kept by a client, MB" in text
    assert ("scaled: not comparable" in text.splitlines()[0]) == (scale == "scaled")
    assert ("| 20.0† |" in text) == (scale == "scaled")
    assert set(frame.status) == {"scaled" if scale == "scaled" else "counted"}


def test_the_figure_shows_both_ways_of_sending_and_its_scale(tmp_path):
    cells = [cell(tmp_path, name, [500]) for name in ("loss", "loss-bb", "centralised")]
    files = {kind: tmp_path / f"out.{kind}" for kind in ("pdf", "png", "svg")}
    given = spec(*cells, scale="scaled")
    PRODUCT.draw(given, files)
    svg = files["svg"].read_text()
    for words in ("acop loss-bb", "not federated", "scaled: not comparable", "backbone-only"):
        assert words in svg
    picture = np.round(imread(files["png"])[..., :3] * 255).astype(int).reshape(-1, 3)
    for color in TRANSMISSION_COLORS.values():
        wanted = [int(color[i : i + 2], 16) for i in (1, 3, 5)]
        assert (picture == wanted).all(axis=1).sum() > 1000, color


@pytest.mark.parametrize("name", ["fedavg", "fedavg-bb"])
@pytest.mark.parametrize("method", ["simclr", "acop"])
def test_a_job_counts_the_tensors_that_a_visit_sends(tmp_path, name, method):
    """The law behind the ledger: keys sent, as the model's file holds them, times visits."""
    settings = copy.deepcopy(SETTINGS) | {"aggregator": {"name": name}, "split": "a100-i0-b0"}
    if method == "acop":
        clips = {"n_clips": 3, "clip_seconds": 0.25, "gap_seconds": 0.1, "dropout": 0.5}
        settings["method"] = {"name": "acop", **clips}
    model = str(tmp_path / "model.safetensors")
    facts = rounds.pretrain(
        settings,
        inputs={name: path for name, path in lay_out(tmp_path).items() if "image" not in name},
        checkpoints=str(tmp_path / "state"),
        model=model,
        rounds=str(tmp_path / "rounds.csv"),
        clients=1,
        milestones=str(tmp_path / "milestones"),
    )
    prefixes = ("backbone.",) if name.endswith("-bb") else ("backbone.", "head.")
    tensors = {key: value for key, value in load_file(model).items() if key.startswith(prefixes)}
    size = sum(tensor.numel() * tensor.element_size() for tensor in tensors.values())
    visits = len({(row["round"], row["client"]) for row in history(tmp_path)})
    assert visits > 0 and facts["bytes_up"] == facts["bytes_down"] == size * visits


def test_a_dropped_update_is_received_and_not_sent(tmp_path: Path) -> None:
    given = cell(tmp_path / "a", "fedavg", [BACKBONE])
    [paths] = given["seeds"]
    rounds = pd.read_csv(paths["rounds"], index_col=0)
    lost = (rounds["round"] == 2) & (rounds["client"] == 1)
    rounds.assign(dropped=lost.map({True: "its mean loss is nan", False: ""})).to_csv(
        paths["rounds"]
    )
    total = BACKBONE * ROUNDS * CLIENTS
    record = {"bytes_up": total - BACKBONE, "bytes_down": total, **KEPT}
    Path(paths["provenance"]).write_text(json.dumps(record))
    [found] = communication(spec(given)).to_dict("records")
    assert found["bytes_up_per_client_round"] == found["bytes_down_per_client_round"] == BACKBONE
