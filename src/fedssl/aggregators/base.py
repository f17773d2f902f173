"""Base class of the aggregators: settings as fields, and functions from states to states."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from torch import Tensor

    from fedssl.aggregators import ClientUpdate

    State = dict[str, Tensor]
    Tensors = Mapping[str, Tensor]

EACH = "each/"
"""Prefix of reports that are not averaged: `step` gets those of all clients, stacked."""


@dataclass(frozen=True)
class Weight:
    """The weight of one update: mass * exp(log_mass), divided by the sum over the clients.

    `log_mass` keeps a softmax finite, because only differences between clients matter. `factors`
    multiply single tensors in addition and do not enter the sum.
    """

    mass: float = 1.0
    log_mass: float = 0.0
    factors: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Visit:
    """One client's part in one round, as the aggregator's client-side functions see it.

    Attributes:
        received: the tensors of the model that the server sent, by name.
        broadcast: the other tensors that the server sent (`Aggregator.broadcast`).
        kept: the tensors that the client kept for the aggregator in its last round; empty in its
            first round.
        share: number of clients in a round divided by the number of clients.
    """

    received: "Tensors"
    broadcast: "Tensors"
    kept: "Tensors"
    share: float


@dataclass(frozen=True)
class Aggregator:
    """FedAvg, unless a subclass replaces one of its functions.

    `init`, `weight`, `step` and `broadcast` run on the server; `start`, `correct` and `finish` run
    on a client. All except `correct` are pure. A rule holds only its settings: the round loop
    saves the server state and the clients' tensors with every checkpoint.
    """

    has_backbone_only: ClassVar[bool] = True
    """Whether the rule has a `-bb` form."""

    def in_round(self, round_number: int) -> "Aggregator":
        """Return the rule of a round, counted from 1; a warm-up may use another rule."""
        return self

    def init(self, global_state: "State") -> "State":
        """Return the server state before the first round."""
        return {}

    def weight(self, global_state: "State", update: "ClientUpdate") -> Weight:
        """Return the weight of one client's model in the average; here its number of samples."""
        return Weight(mass=float(update.num_samples))

    def step(
        self, global_state: "State", average: "State", server: "State"
    ) -> tuple["State", "State"]:
        """Return the next global state and the next server state.

        `average` holds the averaged tensors of the model and of the clients' reports. Of a report
        whose name begins with `EACH` it holds all, (clients, ...), in the order of the clients.
        """
        return average, server

    def broadcast(self, server: "State") -> "State":
        """Return the tensors that the server sends to each client in addition to the model.

        A tensor that belongs to a tensor of the model is named `<kind>/<name in the model>`. It is
        sent only if the model's tensor is sent.
        """
        return {}

    def start(self, global_state: "State", kept: "Tensors") -> "State":
        """Return the model that a client starts from, given the tensors that it kept."""
        return global_state

    def correct(self, parameters: "Tensors", visit: Visit) -> None:
        """Change the gradients of a local step in place, between backward and the step."""

    def finish(self, visit: Visit, trained: "State", *, reach: float) -> tuple["State", "State"]:
        """Return the tensors that a client reports, and those that it keeps for its next round.

        `reach` is the distance that the optimiser would move a parameter whose gradient is 1 in
        every step. For plain SGD it is the number of steps times the learning rate.
        """
        return {}, {}


@dataclass(frozen=True)
class CoordinateWise(Aggregator):
    """A rule that compares the clients' values of each coordinate, such as their median.

    Clients have the same weight, and what they report is not used. All updates of a round are in
    memory until its end, because a coordinate needs the values of all clients.
    """

    holds_cohort: ClassVar[bool] = True

    def combine(self, values: "Tensor") -> "Tensor":
        """Return the next value of each coordinate.

        Args:
            values: those of the clients, sorted along dimension 0; (clients, ...), floating-point.
        """
        raise NotImplementedError


def is_trained(name: str, tensor: "Tensor") -> bool:
    """Return whether a tensor of a state is a parameter, not a counter or a running statistic.

    Running statistics do not follow a gradient. A server optimiser that overshoots would make a
    running variance negative.
    """
    return tensor.is_floating_point() and not is_running(name)


def is_running(name: str) -> bool:
    """Return whether a tensor is one of batch norm's running statistics."""
    return name.rsplit(".", 1)[-1] in ("running_mean", "running_var")
