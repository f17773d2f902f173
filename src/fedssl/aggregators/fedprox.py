"""FedProx: FedAvg with a penalty on clients that leave the global model (Li et al. 2020)."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from fedssl.aggregators.base import Aggregator, Visit
from fedssl.settings import LossWeight

if TYPE_CHECKING:
    from fedssl.aggregators.base import Tensors


@dataclass(frozen=True)
class FedProx(Aggregator):
    """Clients minimise their loss + mu / 2 |w - w_global|^2 (equation 2).

    The term covers the parameters that the server sent. Histories and weights use the loss without
    it, so that they can be compared with other aggregators.
    """

    mu: LossWeight = 0.01
    """Weight of the proximal term. The paper tunes it between 0.001 and 1. Decided: 0.01."""

    def correct(self, parameters: "Tensors", visit: Visit) -> None:
        """Add the gradient of the proximal term, mu (w - w_global)."""
        for name, parameter in parameters.items():
            # Heads and predictors that stay with the client have no global counterpart.
            if parameter.grad is not None and name in visit.received:
                pull = parameter.detach() - visit.received[name]
                parameter.grad.add_(pull, alpha=self.mu)
