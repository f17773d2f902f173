"""FairAvg: every client has the same weight (Michieli & Ozay 2021)."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from fedssl.aggregators.base import Aggregator, Weight

if TYPE_CHECKING:
    from fedssl.aggregators import ClientUpdate
    from fedssl.aggregators.base import State


@dataclass(frozen=True)
class FairAvg(Aggregator):
    """The next model is the plain mean of the clients' models."""

    def weight(self, global_state: "State", update: "ClientUpdate") -> Weight:
        """Return 1 for every client."""
        return Weight()
