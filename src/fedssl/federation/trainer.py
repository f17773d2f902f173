"""What the round loop gives a client, and what it gets back, wherever the client trains."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np
from torch import Tensor

from fedssl.aggregators import ClientUpdate
from fedssl.aggregators.base import Visit
from fedssl.federation.history import Row

State = dict[str, Tensor]


@dataclass(frozen=True)
class ClientTask:
    """The task of one client in one round.

    Attributes:
        round: counted from 1.
        client: number of the client.
        samples: positions in the bank, by modality.
        visit: tensors from the server, and those that the client keeps for the aggregator.
        local: tensors of its model that the client kept. A tensor that is neither here nor
            received starts with its value of round 0.
    """

    round: int
    client: int
    samples: Mapping[str, np.ndarray]
    visit: Visit
    local: State

    @property
    def num_samples(self) -> int:
        """Number of samples of all modalities."""
        return sum(map(len, self.samples.values()))


class Trained(NamedTuple):
    """The result of a client's training.

    Attributes:
        update: the update for the server. Its state is the trainer's own model, so use it before
            the next client trains.
        notes: tensors that the client keeps for the aggregator until its next round.
        rows: its history, one row per modality.
        fault: the first step whose loss is not finite, or None.
    """

    update: ClientUpdate
    notes: State
    rows: list[Row]
    fault: str | None = None


class Trainer(Protocol):
    """Trains the clients of a round: in this process, in others, or on other machines."""

    def train_each(self, tasks: Iterable[ClientTask]) -> Iterator[Trained | None]:
        """Yield the result of each task, in order; None for a client that did not return."""
        ...
