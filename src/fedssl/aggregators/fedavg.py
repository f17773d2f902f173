"""FedAvg: clients weigh as many as their samples (McMahan et al. 2017; fssuavl section 3.2)."""

from fedssl.aggregators import ClientUpdate
from fedssl.aggregators.accumulator import State, Weight


def weigh(_global_state: State, update: ClientUpdate) -> Weight:
    """Return n_q, the client's audio and image samples together."""
    return Weight(mass=float(update.num_samples))
