"""The learning rate of a step, and how far the steps of a training can move a parameter."""

import math

from fedssl.federation.settings import FederatedSettings


def learning_rate(settings: FederatedSettings, *, round_number: int, epoch: int) -> float:
    """Return the learning rate of a local epoch (0-based) in a round (1-based).

    paper: both "unchanged throughout" and "decays according to a cosine schedule"; here, by
    default, a cosine inside the local training that starts at the same value in every round.
    """
    optimiser, federation = settings.optimiser, settings.federation
    if optimiser.schedule == "constant":
        return float(optimiser.lr)
    if optimiser.schedule == "cosine-global":
        return cosine(optimiser.lr, (round_number - 1) / federation.rounds)
    return cosine(optimiser.lr, epoch / federation.local_epochs)


def cosine(lr: float, progress: float) -> float:
    """Return the learning rate at a progress from 0 to 1; it falls from `lr` to 0."""
    return lr * 0.5 * (1.0 + math.cos(math.pi * progress))


class Reach:
    """The distance that SGD moves a parameter whose gradient is 1 in every step."""

    def __init__(self, momentum: float) -> None:
        """Start before the first step."""
        self._momentum = momentum
        self._velocity = 0.0
        self.value = 0.0

    def advance(self, lr: float) -> None:
        """Take a step."""
        self._velocity = self._momentum * self._velocity + 1.0
        self.value += lr * self._velocity
