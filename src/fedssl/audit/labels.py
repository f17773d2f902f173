"""Compare stored predictions with the bank: samples and labels must be those of the split."""

from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from fedssl.audit.chain import Chain
from fedssl.frames import read_parquet
from fedssl.grid.paths import FEATURE_PROTOCOLS, RECALIBRATED
from fedssl.record.read import Record

_FILES = ("labels.npy", "index.parquet")
_OF_WHOLE_SPLITS = (*FEATURE_PROTOCOLS, RECALIBRATED, "fine-tune")


def check_samples(
    metric: Mapping[str, Any], samples: pd.DataFrame, *, record: Record, chain: Chain
) -> Iterator[str]:
    """Yield the differences between stored samples and the scored split of the task's bank.

    Protocols that do not score a whole split of one bank are skipped. A changed or missing bank is
    skipped, too, because it has a finding of its own.
    """
    # Pairs have two banks, and `image` names the position in the second.
    if metric["protocol"] not in _OF_WHOLE_SPLITS or "image" in samples:
        return
    folders = [path.parent for path in record.files("inputs") if path.name == "bank.json"]
    if len(folders) != 1:
        yield "must be scored on one bank, but its job read none or several"
    whole = [f for f in folders if all(chain.as_written(f / name) for name in _FILES)]
    if not whole or not {"position", "label"} <= set(samples):
        return
    mtime = (whole[0] / "labels.npy").stat().st_mtime_ns
    known = _labels(whole[0], record.settings["split"], mtime)
    given = samples.set_index("position")["label"].sort_index()
    if not np.array_equal(given.index, known.index):
        yield "was scored on samples that differ from the bank's split"
    elif not np.array_equal(given, known):
        yield "was scored with labels that differ from the bank's"


@cache
def _labels(folder: Path, split: str, _mtime: int) -> pd.Series:
    """Return the labels of a split by position in the bank."""
    # The modification time is an argument so that the cache misses after the file has changed.
    inside = read_parquet(folder / "index.parquet", columns=["split"])["split"] == split
    labels = np.load(folder / "labels.npy")[inside.to_numpy()]
    return pd.Series(labels, index=np.flatnonzero(inside))
