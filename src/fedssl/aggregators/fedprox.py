"""FedProx: FedAvg whose clients are held near the global model (Li et al. 2020)."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from fedssl.aggregators.base import Aggregator, Visit
from fedssl.settings import NonNegative

if TYPE_CHECKING:
    from fedssl.aggregators.base import Tensors


@dataclass(frozen=True)
class FedProx(Aggregator):
    """Clients minimise their loss + mu / 2 |w - w_global|^2 (equation 2).

    Over the parameters that the server sent. Histories and weights know the loss without the
    proximal term, so that they compare with other aggregators.
    """

    mu: NonNegative = 0.01
    """Weight of the proximal term. The paper tunes it in 0.001 to 1; chosen here."""

    def correct(self, parameters: "Tensors", visit: Visit) -> None:
        """Add the gradient of the proximal term, mu (w - w_global)."""
        for name, parameter in parameters.items():
            if parameter.grad is not None and name in visit.received:
                pull = parameter.detach() - visit.received[name]
                parameter.grad.add_(pull, alpha=self.mu)
