"""Coordinate-wise trimmed mean of the clients' models (Yin et al. 2018, definition 2)."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from fedssl.aggregators.base import CoordinateWise
from fedssl.settings import TrimmedShare

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class TrimmedMean(CoordinateWise):
    """Each number of the next model is the mean of the clients' numbers without the extreme ones.

    It stays between the numbers of honest clients while at most a share `beta` of the clients is
    malicious. With fewer than 1 / `beta` clients in a round nothing is cut off.
    """

    beta: TrimmedShare = 0.2
    """Share of the clients whose numbers are cut off at each end, rounded down to whole clients. It
    must be at least the share of malicious clients. Decided: 0.2, as in Flower."""

    def combine(self, values: "Tensor") -> "Tensor":
        """Return the mean of the values that remain."""
        clients = len(values)
        cut = int(self.beta * clients)
        return values[cut : clients - cut].mean(dim=0)
