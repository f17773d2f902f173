"""FairAvg: every client weighs the same (Michieli & Ozay 2021)."""

from fedssl.aggregators import ClientUpdate
from fedssl.aggregators.accumulator import State, Weight


def weigh(_global_state: State, _update: ClientUpdate) -> Weight:
    """Return 1 for every client."""
    return Weight()
