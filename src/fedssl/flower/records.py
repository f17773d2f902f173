"""States as Flower's records, without loss: each tensor keeps its type and its bits."""

from collections.abc import Mapping

import torch
from flwr.app import Array, ArrayRecord
from torch import Tensor

State = dict[str, Tensor]


def to_record(state: Mapping[str, Tensor]) -> ArrayRecord:
    """Return the tensors of a state as arrays, by the same names."""
    return ArrayRecord({name: Array(t.detach().cpu().contiguous()) for name, t in state.items()})


def to_state(record: ArrayRecord, *, device: torch.device) -> State:
    """Return the tensors of a record on a device."""
    return {name: torch.from_numpy(array.numpy()).to(device) for name, array in record.items()}
