"""The history of a training: one row per round, client and modality.

The column `learning_rate` is that of the first step, and `update_norm` the L2 norm of the change of
the parameters that a client sends, as its training left them.
The column `dropped` says why a client's update was not used; it is empty if it was. With faults or
clipping there are further columns: `absent` says why a selected client returned no update,
`duration` how long its simulated training took, `attack` what a malicious client sent, and
`clipped` by which factor the server scaled a change down.
"""

import csv
import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from fedssl.files import atomic_write

Row = dict[str, Any]
_COLUMNS = (
    *("round", "client", "modality", "samples", "steps", "loss"),
    *("learning_rate", "update_norm", "seconds", "dropped"),
)
_FAULT_COLUMNS = ("absent", "duration", "attack", "clipped")


def mean_step(losses: list[Tensor]) -> float | None:
    """Return the mean loss, or None without a step or if it is not finite."""
    if not losses:
        return None
    mean = float(torch.stack(losses).double().mean())
    return mean if math.isfinite(mean) else None


def mean_loss(rows: Sequence[Row]) -> float:
    """Return the mean loss over the round's samples, NaN if no client had a finite one."""
    usable = [row for row in rows if row["loss"] is not None]
    weight = sum(row["samples"] for row in usable)
    total: float = sum(row["loss"] * row["samples"] for row in usable)
    return total / weight if weight else float("nan")


def seconds_until(rows: Sequence[Row], last: int) -> float:
    """Return the seconds of training up to a round or epoch, over all earlier attempts."""
    seconds: float = sum(row["seconds"] for row in rows if row["round"] <= last)
    return seconds


def num_updates(rows: Sequence[Row], *, dropped: bool = False) -> int:
    """Return the number of updates that clients sent, or of those that were dropped."""
    sent = (row for row in rows if not row.get("absent"))
    # A client with two modalities has two rows for its one update.
    return len({(row["round"], row["client"]) for row in sent if row.get("dropped") or not dropped})


def write_rows(rows: Sequence[Row], path: str) -> None:
    """Write the rows of a history as CSV."""
    faults = [name for name in _FAULT_COLUMNS if any(name in row for row in rows)]
    with atomic_write(path) as temporary, temporary.open("w", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=(*_COLUMNS, *faults))
        writer.writeheader()
        writer.writerows(rows)
