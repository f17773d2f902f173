"""Loss: clients weigh by a softmax of their negative mean training loss (FedVSSL, alpha 1)."""

from fedssl.aggregators import ClientUpdate
from fedssl.aggregators.accumulator import State, Weight


def weigh(_global_state: State, update: ClientUpdate) -> Weight:
    """Return exp(-l_q) by its logarithm, which stays finite for losses in the hundreds."""
    return Weight(log_mass=-update.loss)
