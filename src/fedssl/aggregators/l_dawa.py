"""L-DAWA: each tensor is weighted by its cosine with the global one (Rehman et al. 2023).

This follows the authors' code. A "layer" is one tensor, so weight and bias are separate. Negative
cosines are kept. Every client has the weight 1 / K. Counters (0-d) are averaged unscaled.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from fedssl.aggregators.base import Aggregator, Weight, is_running
from fedssl.aggregators.fedavg import FedAvg
from fedssl.settings import Cosine, Rounds

if TYPE_CHECKING:
    from torch import Tensor

    from fedssl.aggregators import ClientUpdate
    from fedssl.aggregators.base import State

_SMALLEST_NORM = 1e-12


@dataclass(frozen=True)
class LDawa(Aggregator):
    """The next model is the plain mean of models whose tensors are scaled by their cosines."""

    warmup_rounds: Rounds = 3
    """Number of first rounds that use FedAvg instead. Decided: the authors' code."""

    scale_buffers: bool = True
    """Whether batch norm's running statistics are scaled too. Decided: the authors' code."""

    clamp_low: Cosine | None = None
    """Lower limit of the cosines, or null for none. Decided: the authors' code."""

    # Otherwise all rounds would be FedAvg.
    below: ClassVar[Mapping[str, str]] = {"warmup_rounds": "federation.rounds"}

    def in_round(self, round_number: int) -> Aggregator:
        """Return FedAvg during the warm-up, and L-DAWA after it."""
        # In the first round, biases and running means are 0 and have no cosine.
        return FedAvg() if round_number <= self.warmup_rounds else self

    def weight(self, global_state: "State", update: "ClientUpdate") -> Weight:
        """Return the cosine of each tensor with its global counterpart, at least `clamp_low`.

        paper: undefined for a tensor of norm 0, such as a fresh bias; here: its factor is 1.
        """
        least = -1.0 if self.clamp_low is None else self.clamp_low
        factors = {
            name: max(_cosine(update.state[name], tensor), least)
            for name, tensor in global_state.items()
            if tensor.ndim > 0 and (self.scale_buffers or not is_running(name))
        }
        return Weight(factors=factors)


def _cosine(client: "Tensor", server: "Tensor") -> float:
    client, server = client.flatten().double(), server.flatten().double()
    norms = float(client.norm()), float(server.norm())
    if min(norms) < _SMALLEST_NORM:
        return 1.0
    return min(float(client @ server) / (norms[0] * norms[1]), 1.0)
