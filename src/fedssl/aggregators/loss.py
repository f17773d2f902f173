"""Loss: weights are a softmax of the clients' negative mean training loss (FedVSSL, alpha 1)."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from fedssl.aggregators.base import Aggregator, Weight

if TYPE_CHECKING:
    from fedssl.aggregators import ClientUpdate
    from fedssl.aggregators.base import State


@dataclass(frozen=True)
class Loss(Aggregator):
    """The next model is the mean of the clients' models, weighted by exp(-loss)."""

    def weight(self, global_state: "State", update: "ClientUpdate") -> Weight:
        """Return exp(-loss) as its logarithm."""
        # Barlow Twins has losses above 700, where exp(-loss) is 0 in float64.
        return Weight(log_mass=-update.loss)
