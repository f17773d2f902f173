"""Files that nobody computed, for every figure of a grid: as many and as long as it has them."""

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from fedssl.files import digest, write_json
from fedssl.grid.splits import parse_split
from tests.report_rows import write_rounds

_FEDERATION = {"rounds": 10, "clients": 10, "fraction": 0.2}
_SENT = 44_927_488  # bytes, by a client in a round
Spec = Mapping[str, Any]


def make_up_inputs(kind: str, spec: Spec) -> None:
    """Write the files that the figures of a kind read."""
    _WRITERS[kind](spec)


def _new(path: str | Path) -> Path | None:
    """Return a path whose folder exists; None if the file exists already."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    return None if path.is_file() else path


def _history(path: str, modalities: list[str]) -> None:
    if new := _new(path):
        write_rounds(new, {"seed": len(path), "federation": _FEDERATION}, modalities)


def _losses(spec: Spec) -> None:
    for curve in spec["curves"]:
        split = curve.get("split", "a100-i0-b0")
        _history(curve["path"], list(parse_split(split).modalities))


def _rounds(spec: Spec) -> None:
    for place, curve in enumerate(spec["curves"]):
        if new := _new(curve["path"]):
            rng = np.random.default_rng(place)
            rows = [
                {"round": number, "metric": "R@1", "value": value, "n_eval": 400}
                for number in (0, 1, *range(10, 101, 10))
                for value in [20 + 5 * np.log1p(number) + rng.normal(0, 1)]
            ]
            pd.DataFrame(rows).to_csv(new, index=False)


def _maps(spec: Spec) -> None:
    records = []
    for panel in spec["panels"]:
        for cell in panel["cells"][:1]:
            if new := _new(cell["points"]):
                rng = np.random.default_rng(0)
                names = [name for name in spec["datasets"] for _ in range(40)]
                points = rng.normal(size=(len(names), 2))
                pd.DataFrame({"dataset": names, "x": points[:, 0], "y": points[:, 1]}).to_parquet(
                    new
                )
        numbers = {"measured": -0.25, "std": 0.12, "low": -0.35, "high": -0.15}
        names = (f"silhouette by {group}" for group in ("dataset", "modality"))
        records += [{"row": panel["row"], "column": name, **numbers} for name in names]
    if new := _new(spec["silhouettes"]):
        pd.DataFrame(records).to_csv(new, index=False)


def _sweeps(spec: Spec) -> None:
    for panel in spec["panels"]:
        if new := _new(panel["csv"]):
            rows = [*panel["rows"], *panel["references"]]
            records = [
                {"row": row, "column": line["column"], "measured": value}
                | {"low": value - 2, "high": value + 2}
                for line in spec["lines"]
                for value, row in enumerate(rows, start=20)
            ]
            pd.DataFrame(records).to_csv(new, index=False)


def _communication(spec: Spec) -> None:
    for cell in spec["cells"]:
        for seed in cell["seeds"]:
            _history(seed["rounds"], list(parse_split(cell["split"]).modalities))
            history = pd.read_csv(seed["rounds"])
            visits = len(history.drop_duplicates(["round", "client"]))
            sent = _SENT // (2 if cell["aggregator"].endswith("-bb") else 1)
            if new := _new(seed["provenance"]):
                facts = {name: visits * sent for name in ("bytes_up", "bytes_down")}
                facts |= {name: sent for name in ("client_memory_bytes", "server_memory_bytes")}
                new.write_text(json.dumps(facts), encoding="utf-8")


def _curves(spec: Spec) -> None:
    _rounds({"curves": [{"path": curve["scores"]} for curve in spec["curves"]]})
    for curve in spec["curves"]:
        _history(curve["rounds"], [spec["modality"]])
        for path in curve["chosen"].values():
            if new := _new(path):
                new.write_text('{"rounds": [30, 90]}', encoding="utf-8")


def _shards(spec: Spec) -> None:
    for panel in spec["panels"]:
        if new := _new(panel["shards"]):
            counts = np.random.default_rng(0).dirichlet([0.1] * 100, size=309).T * 400
            new.write_text(json.dumps({"histogram": counts.astype(int).tolist()}))


def _costs(spec: Spec) -> None:
    rows = [
        {"row": row["row"], "modality": modality, "gain": gain, "low": gain - 2, "high": gain + 2}
        for gain, row in enumerate(spec["rows"])
        for modality in ("image", "audio")
    ]
    if new := _new(spec["gains"]):
        pd.DataFrame(rows).to_csv(new, index=False)
    for place, row in enumerate(spec["rows"]):
        for path in row["records"]:
            hardware = {"gpu": "a GPU", "gpus": 1}
            facts = {"seconds": 9000.0 * (1 + place % 7), "hardware": hardware}
            facts |= {"bytes_up": 10**10, "bytes_down": 10**10}
            Path(path).parent.mkdir(parents=True, exist_ok=True)
            Path(path).write_text(json.dumps(facts), encoding="utf-8")


def _timeline(spec: Spec) -> None:
    folder = Path(spec["results"]) / "made-up"
    folder.mkdir(parents=True, exist_ok=True)
    began = datetime(2026, 1, 1, tzinfo=UTC)
    for place in range(400):
        started = began + timedelta(minutes=7 * place)
        record = {
            "rule": f"a_rule_of_a_long_name_{place % 25}",
            "hardware": {"host": f"node{place % 30:03}.cluster.example.org"},
            "started": started.isoformat(),
            "ended": (started + timedelta(minutes=90)).isoformat(),
            "seconds": 5400.0,
            **{key: {} for key in ("settings", "inputs", "outputs", "sources")},
        }
        write_json(folder / f"{place}.provenance.json", record | {"digest": digest(record)})


_WRITERS: dict[str, Callable[[Spec], None]] = {
    "communication": _communication,
    "cost_figure": _costs,
    "curves_figure": _curves,
    "loss_figure": _losses,
    "map_figure": _maps,
    "rounds_figure": _rounds,
    "shards_figure": _shards,
    "sweep_figure": _sweeps,
    "timeline_figure": _timeline,
}
