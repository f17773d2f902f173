"""SCAFFOLD: control variates correct the drift of clients (Karimireddy et al. 2020, algorithm 1).

The server keeps c and each client keeps c_i; each is as large as the model's parameters. They
travel with the model, so SCAFFOLD sends about twice the bytes of FedAvg in both directions.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from fedssl.aggregators.base import Aggregator, Visit, is_trained
from fedssl.settings import LearningRate

if TYPE_CHECKING:
    from fedssl.aggregators.base import State, Tensors

_CONTROL = "control/"


@dataclass(frozen=True)
class Scaffold(Aggregator):
    """Local steps follow g - c_i + c instead of the gradient g; c_i follows the paper's option II.

    paper: all clients have the same weight; here: they are weighted by their samples, as in
    FedAvg, because shards differ in size. Batch norm's statistics are averaged as in FedAvg.
    Server state: c, named `control/<parameter>`, 0 before the first round.
    """

    server_lr: LearningRate = 1.0
    """Learning rate of the server. Stated: 1."""

    def init(self, global_state: "State") -> "State":
        """Return c = 0 for every parameter."""
        trained = {name: t for name, t in global_state.items() if is_trained(name, t)}
        return {_CONTROL + name: tensor.new_zeros(tensor.shape) for name, tensor in trained.items()}

    def broadcast(self, server: "State") -> "State":
        """Return c."""
        return server

    def correct(self, parameters: "Tensors", visit: Visit) -> None:
        """Add c - c_i to the gradients."""
        for name, parameter in parameters.items():
            if parameter.grad is not None and (key := _CONTROL + name) in visit.broadcast:
                parameter.grad.add_(visit.broadcast[key])
                if key in visit.kept:
                    parameter.grad.sub_(visit.kept[key])

    def finish(self, visit: Visit, trained: "State", *, reach: float) -> tuple["State", "State"]:
        """Report |S| / N times the change of c_i, and keep c_i (option II).

        c_i <- c_i - c + (w_global - w_i) / (K lr). paper: SGD without momentum; here: `reach`
        replaces K lr. It equals K lr without momentum, and with momentum keeps c_i a mean gradient.
        In the paper the server multiplies by |S| / N, the share of clients in a round; here the
        client does.
        """
        report, kept = {}, {}
        for key, control in visit.broadcast.items():
            name = key.removeprefix(_CONTROL)
            # c_i starts at 0. No control is sent for a head that stays with the client.
            own = visit.kept[key] if key in visit.kept else control.new_zeros(control.shape)
            gradient = (visit.received[name] - trained[name].detach()) / reach
            kept[key] = own - control + gradient
            report[key] = visit.share * (kept[key] - own)
        return report, kept

    def step(
        self, global_state: "State", average: "State", server: "State"
    ) -> tuple["State", "State"]:
        """Return w + server_lr (mean of w_i - w), and c + the mean of the clients' reports."""
        moved = {name: average[name] for name in global_state}
        for name, before in global_state.items():
            if is_trained(name, before):
                change = average[name].double() - before.double()
                moved[name] = (before.double() + self.server_lr * change).to(before.dtype)
        # `get_aggregator` passes updates without reports; c then stays as it is.
        controls = {k: c + average[k] if k in average else c for k, c in server.items()}
        return moved, controls
