"""Coordinate-wise median of the clients' models (Yin et al. 2018, definition 1)."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from fedssl.aggregators.base import CoordinateWise

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class Median(CoordinateWise):
    """Each number of the next model is the median of the clients' numbers.

    It stays between the numbers of honest clients while fewer than half of the clients are
    malicious. With an even number of clients, it is the mean of the two in the middle.
    """

    def combine(self, values: "Tensor") -> "Tensor":
        """Return the mean of the one or two values in the middle."""
        clients = len(values)
        return values[(clients - 1) // 2 : clients // 2 + 1].mean(dim=0)
