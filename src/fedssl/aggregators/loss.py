"""Loss: clients weigh by a softmax of their negative mean training loss (FedVSSL, alpha 1)."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from fedssl.aggregators.base import Aggregator, Weight

if TYPE_CHECKING:
    from fedssl.aggregators import ClientUpdate
    from fedssl.aggregators.base import State


@dataclass(frozen=True)
class Loss(Aggregator):
    """The next model is the clients' mean, weighted by exp(-loss)."""

    def weight(self, global_state: "State", update: "ClientUpdate") -> Weight:
        """Return exp(-l_q) by its logarithm, which stays finite for losses in the hundreds."""
        return Weight(log_mass=-update.loss)
