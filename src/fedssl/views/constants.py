"""Constants of the views, made once per device."""

from functools import cache
from typing import Any

import torch
from torch import Tensor


@cache
def constant(values: Any, device: torch.device) -> Tensor:
    """Return a tensor of these numbers, nested tuples of any depth; do not change it.

    A new tensor in each view would be a copy from the host, for which a GPU stops.
    """
    # Made as a normal tensor: the first caller may be an evaluation, and an inference tensor cannot
    # take part in a training later.
    with torch.inference_mode(False):
        return torch.tensor(values, dtype=torch.float32).to(device)
