"""Read score files and the predictions for single samples that evaluation jobs wrote."""

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from fedssl.errors import UserError
from fedssl.files import read_json
from fedssl.frames import read_parquet
from fedssl.paper.flags import Flag, flags_of
from fedssl.record.inputs import verified


@dataclass(frozen=True)
class Metric:
    """The content of a score file.

    `value` is an accuracy in percent over `n_eval` samples or, with the protocol `chosen-round`,
    the number of a round. `chance` is the accuracy of guessing.
    """

    path: Path
    value: float
    n_eval: int
    predictions: Path
    is_round: bool = False
    chance: float | None = None
    flags: tuple[Flag, ...] = ()


def read_metric(path: str | Path, *, task: str, protocol: str) -> Metric:
    """Return the content of a score file.

    Raises:
        UserError: The file lacks a key, is of another task or protocol, or its value is not a
            percentage.
    """
    path, data = Path(path), read_json(path)
    # One score file holds the best round's accuracy and its number. A table asks for the number
    # as a protocol of its own.
    is_round = protocol == "chosen-round"
    if is_round:
        data = {**data, "protocol": protocol, "value": data["rounds"][0]}
    missing = {"task", "protocol", "value", "n_eval", "predictions"} - set(data)
    if missing:
        raise UserError(f"{path} lacks {', '.join(sorted(missing))}; evaluate its cell again.")
    if (data["task"], data["protocol"]) != (task, protocol):
        found = f"{data['protocol']} on {data['task']}"
        raise UserError(f"{path} holds {found}; it must hold {protocol} on {task}.")
    largest = float("inf") if is_round else 100
    if not 0 <= data["value"] <= largest or data["n_eval"] < 1:
        found = f"value {data['value']} over {data['n_eval']} samples"
        raise UserError(
            f"{path} holds {found}; it must hold a percentage over at least one sample."
        )
    return Metric(
        path,
        float(data["value"]),
        int(data["n_eval"]),
        path.parent / data["predictions"],
        is_round=is_round,
        chance=None if is_round else data.get("chance"),
        flags=tuple(flags_of(data)),
    )


def read_samples(metric: Metric) -> pd.DataFrame:
    """Return the columns position, label and correct of a metric's samples, sorted by position.

    A sample is correct if the prediction is its label or, in retrieval, if the nearest neighbour
    has its label.

    Raises:
        UserError: The file is not the one that its job wrote, a column is missing, or the samples
            are not those that the metric counted.
    """
    frame = read_parquet(verified(metric.predictions))
    outcome = "prediction" if "prediction" in frame.columns else "hit@1"
    if missing := {"position", "label", outcome} - set(frame.columns):
        raise UserError(
            f"{metric.predictions} lacks the columns {', '.join(sorted(missing))}; evaluate its "
            "cell again."
        )
    if len(frame) != metric.n_eval or frame.position.duplicated().any():
        raise UserError(
            f"{metric.predictions} has {frame.position.nunique()} positions in {len(frame)} rows; "
            f"{metric.path} counts {metric.n_eval} samples. Evaluate its cell again."
        )
    right = frame["label"] == frame["prediction"] if outcome == "prediction" else frame["hit@1"]
    frame = frame[["position", "label"]].assign(correct=right)
    # Jobs may score samples in any order. Sorting lets two files be compared row by row.
    return frame.sort_values("position", ignore_index=True)
