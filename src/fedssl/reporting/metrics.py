"""Metric files: what an evaluation job measured, and its prediction for every sample."""

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from fedssl.errors import UserError
from fedssl.files import read_json

_PREDICTION_COLUMNS = ["position", "label", "prediction"]


@dataclass(frozen=True)
class Metric:
    """One measured accuracy: `value` in percent over `n_eval` samples."""

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
    missing = {"task", "protocol", "value", "n_eval", "predictions"} - set(data)
    if missing:
        raise UserError(f"{path} lacks {', '.join(sorted(missing))}; evaluate its cell again.")
    if (data["task"], data["protocol"]) != (task, protocol):
        found = f"{data['protocol']} on {data['task']}"
        raise UserError(f"{path} holds {found}; it must hold {protocol} on {task}.")
    if not 0 <= data["value"] <= 100 or data["n_eval"] < 1:
        found = f"value {data['value']} over {data['n_eval']} samples"
        raise UserError(f"{path} holds {found}; it must be a percentage over at least one.")
    predictions = path.parent / data["predictions"]
    return Metric(path, float(data["value"]), int(data["n_eval"]), predictions)


def read_predictions(metric: Metric) -> pd.DataFrame:
    """Return columns position, label and prediction of a metric's samples, by position.

    Raises:
        UserError: Columns are missing, or the file has other samples than the metric counted.
    """
    frame = pd.read_parquet(metric.predictions)
    if missing := set(_PREDICTION_COLUMNS) - set(frame.columns):
        raise UserError(f"{metric.predictions} lacks the columns {', '.join(sorted(missing))}.")
    if len(frame) != metric.n_eval or frame.position.duplicated().any():
        raise UserError(
            f"{metric.predictions} has {frame.position.nunique()} positions in {len(frame)} rows; "
            f"{metric.path} counts {metric.n_eval} samples."
        )
    return frame[_PREDICTION_COLUMNS].sort_values("position", ignore_index=True)
