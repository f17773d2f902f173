"""What an evaluation leaves: a metric file, and beside it a row for every scored sample."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from fedssl.data.bank import Bank
from fedssl.evaluation.protocols import Score
from fedssl.files import atomic_write, write_json


def write_metric(
    result: Score,
    bank: Bank,
    *,
    positions: np.ndarray,
    protocol: str,
    identity: Mapping[str, str],
    path: str,
) -> None:
    """Write a score as JSON and, as Parquet of the same name, its samples in bank positions."""
    predictions = Path(path).with_suffix(".parquet")
    columns = {"position": positions, "label": bank.labels[positions], **result.columns}
    with atomic_write(predictions) as temporary:
        pd.DataFrame(columns).to_parquet(temporary, index=False)
    metric = {
        **identity,
        **result.further,
        "seed": int(identity["seed"]),
        "modality": bank.modality,
        "protocol": protocol,
        "metric": result.metric,
        "value": result.value,
        "n_eval": len(positions),
        "predictions": predictions.name,
    }
    write_json(path, metric)
