"""FedAdam: Adam on the server (Reddi et al. 2021, algorithm 2)."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from annotated_types import Ge, Le

from fedssl.aggregators.base import Aggregator, is_trained
from fedssl.portable import sqrt
from fedssl.settings import LearningRate, Momentum

if TYPE_CHECKING:
    from fedssl.aggregators.base import State

_MEAN, _SQUARE = "mean/", "square/"


@dataclass(frozen=True)
class FedAdam(Aggregator):
    """The server takes the clients' mean change d as a gradient and follows it as Adam does.

    m <- beta_1 m + (1 - beta_1) d, v <- beta_2 v + (1 - beta_2) d^2, w <- w + server_lr m /
    (sqrt(v) + tau), without bias correction, as in the paper. Batch norm's statistics are averaged
    as in FedAvg. Server state: m and v of each parameter, in float64.
    """

    server_lr: LearningRate = 0.01
    """Learning rate of the server. The paper tunes it per task. Decided: 0.01."""

    beta_1: Momentum = 0.9
    """Decay of the mean change. Stated."""

    beta_2: Momentum = 0.99
    """Decay of the mean squared change. Stated."""

    tau: Annotated[float, Ge(1e-12), Le(1000.0)] = 0.001
    """Degree of adaptivity, in units of a parameter. Stated for most tasks."""

    def init(self, global_state: "State") -> "State":
        """Return m = 0 and v = tau^2, the smallest start that the paper allows."""
        trained = {name: t for name, t in global_state.items() if is_trained(name, t)}
        zeros = {n: tensor.new_zeros(tensor.shape).double() for n, tensor in trained.items()}
        return {
            **{_MEAN + name: zero for name, zero in zeros.items()},
            **{_SQUARE + name: zero + self.tau**2 for name, zero in zeros.items()},
        }

    def step(
        self, global_state: "State", average: "State", server: "State"
    ) -> tuple["State", "State"]:
        """Return the model after one step of Adam, and the new moments."""
        moved = dict(average)
        moments: State = {}
        for name in (key.removeprefix(_MEAN) for key in server if key.startswith(_MEAN)):
            before = global_state[name]
            change = average[name].double() - before.double()
            mean = self.beta_1 * server[_MEAN + name] + (1 - self.beta_1) * change
            square = self.beta_2 * server[_SQUARE + name] + (1 - self.beta_2) * change.square()
            # Algorithm 2 has no bias correction; Flower adds one.
            step = self.server_lr * mean / (sqrt(square) + self.tau)
            moved[name] = (before.double() + step).to(before.dtype)
            moments |= {_MEAN + name: mean, _SQUARE + name: square}
        return moved, moments
