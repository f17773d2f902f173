"""Metric files: what an evaluation job measured, and its prediction for every sample."""

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from fedssl.errors import UserError
from fedssl.files import read_json


@dataclass(frozen=True)
class Metric:
    """One measured accuracy: `value` in percent over `n_eval` samples; or a chosen round."""

    path: Path
    value: float
    n_eval: int
    predictions: Path


def read_metric(path: str | Path, *, task: str, protocol: str) -> Metric:
    """Return the metric in `path`.

    Raises:
        UserError: It lacks a key, is of another task or protocol, or its value is no percentage.
    """
    path, data = Path(path), read_json(path)
    if protocol == "chosen-round":
        data = {**data, "protocol": protocol, "value": data["rounds"][0]}
    missing = {"task", "protocol", "value", "n_eval", "predictions"} - set(data)
    if missing:
        raise UserError(f"{path} lacks {', '.join(sorted(missing))}; evaluate its cell again.")
    if (data["task"], data["protocol"]) != (task, protocol):
        found = f"{data['protocol']} on {data['task']}"
        raise UserError(f"{path} holds {found}; it must hold {protocol} on {task}.")
    largest = float("inf") if protocol == "chosen-round" else 100
    if not 0 <= data["value"] <= largest or data["n_eval"] < 1:
        found = f"value {data['value']} over {data['n_eval']} samples"
        raise UserError(f"{path} holds {found}; it must be a percentage over at least one.")
    predictions = path.parent / data["predictions"]
    return Metric(path, float(data["value"]), int(data["n_eval"]), predictions)


def read_samples(metric: Metric) -> pd.DataFrame:
    """Return columns position, label and correct of a metric's samples, by position.

    A sample is correct where its class was predicted or, in retrieval, where the nearest has it.

    Raises:
        UserError: Columns are missing, or the file has other samples than the metric counted.
    """
    frame = pd.read_parquet(metric.predictions)
    outcome = "prediction" if "prediction" in frame.columns else "hit@1"
    if missing := {"position", "label", outcome} - set(frame.columns):
        raise UserError(f"{metric.predictions} lacks the columns {', '.join(sorted(missing))}.")
    if len(frame) != metric.n_eval or frame.position.duplicated().any():
        raise UserError(
            f"{metric.predictions} has {frame.position.nunique()} positions in {len(frame)} rows; "
            f"{metric.path} counts {metric.n_eval} samples."
        )
    right = frame["label"] == frame["prediction"] if outcome == "prediction" else frame["hit@1"]
    frame = frame[["position", "label"]].assign(correct=right)
    return frame.sort_values("position", ignore_index=True)
