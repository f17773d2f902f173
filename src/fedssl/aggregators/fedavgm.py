"""FedAvgM: momentum on the server (Hsu, Qi & Brown 2019, section 4)."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from fedssl.aggregators.base import Aggregator, is_trained
from fedssl.settings import LearningRate, Momentum

if TYPE_CHECKING:
    from fedssl.aggregators.base import State


@dataclass(frozen=True)
class FedAvgM(Aggregator):
    """The server takes the clients' mean change as a gradient and follows it with momentum.

    v <- momentum v + (w - mean of w_q), w <- w - server_lr v. Batch norm's statistics are averaged
    as in FedAvg. Server state: v of each parameter, in float64.
    """

    momentum: Momentum = 0.9
    """Momentum of the server. The paper compares 0 to 0.997. Decided: 0.9."""

    server_lr: LearningRate = 1.0
    """Learning rate of the server. Stated: 1."""

    def init(self, global_state: "State") -> "State":
        """Return a velocity of 0 for every parameter."""
        trained = {name: t for name, t in global_state.items() if is_trained(name, t)}
        return {name: tensor.new_zeros(tensor.shape).double() for name, tensor in trained.items()}

    def step(
        self, global_state: "State", average: "State", server: "State"
    ) -> tuple["State", "State"]:
        """Return the model moved by the new velocity, and that velocity."""
        moved, velocities = dict(average), {}
        for name, last in server.items():
            before = global_state[name]
            # In float64, so that momentum 0 and rate 1 give the average itself.
            velocity = self.momentum * last + (before.double() - average[name].double())
            moved[name] = (before.double() - self.server_lr * velocity).to(before.dtype)
            velocities[name] = velocity
        return moved, velocities
