"""What every aggregator is: settings as fields, and functions from states to states."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from torch import Tensor

    from fedssl.aggregators import ClientUpdate

    State = dict[str, Tensor]
    Tensors = Mapping[str, Tensor]


@dataclass(frozen=True)
class Weight:
    """The weight of one update: mass * exp(log_mass), divided in the end by the clients' sum.

    `log_mass` keeps a softmax finite: only differences between clients count. `factors` multiply
    single tensors on top and do not enter the sum.
    """

    mass: float = 1.0
    log_mass: float = 0.0
    factors: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Visit:
    """One client's part in one round, as the aggregator's client-side functions see it.

    Attributes:
        received: the tensors of the model that the server sent, by name.
        broadcast: what the server sent on top (`Aggregator.broadcast`).
        kept: what the client kept for the aggregator in its last round, empty in its first.
        share: clients of a round divided by all clients.
    """

    received: "Tensors"
    broadcast: "Tensors"
    kept: "Tensors"
    share: float


@dataclass(frozen=True)
class Aggregator:
    """FedAvg, unless a subclass replaces one of its functions.

    The server's functions are `init`, `weight` and `step`; a client's are `start`, `correct` and
    `finish`. All are pure but `correct`. The round loop saves server state and what clients keep
    with every checkpoint, so a rule holds nothing but its settings.
    """

    has_backbone_only: ClassVar[bool] = True
    """Whether the rule has a `-bb` form."""

    def in_round(self, round_number: int) -> "Aggregator":
        """Return the rule that is in force in a round, counted from 1; a warm-up is another one."""
        return self

    def init(self, global_state: "State") -> "State":
        """Return the server state before the first round."""
        return {}

    def weight(self, global_state: "State", update: "ClientUpdate") -> Weight:
        """Return the weight of one client's model in the average: its number of samples."""
        return Weight(mass=float(update.num_samples))

    def step(
        self, global_state: "State", average: "State", server: "State"
    ) -> tuple["State", "State"]:
        """Return the next global state and the next server state.

        `average` has a tensor for each of `global_state`, and for each that clients reported.
        """
        return average, server

    def broadcast(self, server: "State") -> "State":
        """Return what the server sends to each client on top of the model.

        A tensor that belongs to one of the model's is named `<kind>/<name in the model>`; it is
        sent if the model's tensor is.
        """
        return {}

    def start(self, global_state: "State", kept: "Tensors") -> "State":
        """Return the model that a client starts from, given what it kept for the aggregator."""
        return global_state

    def correct(self, parameters: "Tensors", visit: Visit) -> None:
        """Change the gradients of a local step in place, after backward and before the step."""

    def finish(self, visit: Visit, trained: "State", *, reach: float) -> tuple["State", "State"]:
        """Return what a client reports with its model, and what it keeps until its next round.

        `reach` is how far the optimiser has moved a parameter whose gradient was 1 in every step:
        the number of steps times the learning rate, for plain SGD.
        """
        return {}, {}


def is_trained(name: str, tensor: "Tensor") -> bool:
    """Return whether a tensor of a state is a parameter, and not a counter or a statistic.

    Batch norm's running statistics do not follow a gradient: a server optimiser that overshoots
    would make a variance negative.
    """
    return tensor.is_floating_point() and not is_running(name)


def is_running(name: str) -> bool:
    """Return whether a tensor is one of batch norm's running statistics."""
    return name.rsplit(".", 1)[-1] in ("running_mean", "running_var")
