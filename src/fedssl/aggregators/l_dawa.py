"""L-DAWA: each tensor counts by its cosine with the global one (Rehman et al. 2023).

As the authors' code does it: a "layer" is a tensor, weight and bias apart; negative cosines are
kept; clients weigh 1 / K whatever their samples; 0-d counters are averaged as they are.
"""

import torch

from fedssl.aggregators import ClientUpdate
from fedssl.aggregators.accumulator import State, Weight

_SMALLEST_NORM = 1e-12


def weigh(
    global_state: State,
    update: ClientUpdate,
    *,
    scale_buffers: bool = True,
    clamp_low: float | None = None,
) -> Weight:
    """Return the cosine of every tensor with its global counterpart, at least `clamp_low`.

    Batch norm's running statistics are scaled too unless `scale_buffers` is false.
    paper: undefined for a tensor of norm 0, such as a fresh bias; here: its factor is 1.
    """
    least = -1.0 if clamp_low is None else clamp_low
    factors = {
        name: max(_cosine(update.state[name], tensor), least)
        for name, tensor in global_state.items()
        if tensor.ndim > 0 and (scale_buffers or not _is_running(name))
    }
    return Weight(factors=factors)


def _cosine(client: torch.Tensor, server: torch.Tensor) -> float:
    client, server = client.flatten().double(), server.flatten().double()
    norms = float(client.norm()), float(server.norm())
    if min(norms) < _SMALLEST_NORM:
        return 1.0
    return min(float(client @ server) / (norms[0] * norms[1]), 1.0)


def _is_running(name: str) -> bool:
    return name.rsplit(".", 1)[-1] in ("running_mean", "running_var")
