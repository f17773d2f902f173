"""Tensors that clients keep between rounds, for their method or for the aggregator."""

from collections.abc import Mapping

from torch import Tensor

from fedssl.federation.server import num_bytes
from fedssl.federation.settings import FederatedSettings
from fedssl.grid.transmission import parse_name

State = dict[str, Tensor]
_BACKBONE = "backbone."


class ClientMemory:
    """The tensors that clients keep between rounds; every checkpoint saves all of them.

    There are three kinds of tensors in a client's model. Some are sent: they are part of the
    global model. Some stay with the client until its next round, such as its head under a `-bb`
    aggregator. The rest start every round with their value of round 0. A tensor that stays has
    that value in the client's first round. In addition, an aggregator may keep tensors of its own
    per client, such as SCAFFOLD's control variate.
    """

    def __init__(self, *, sent: tuple[str, ...], kept: tuple[str, ...]) -> None:
        """Start empty; `sent` and `kept` are prefixes of names in the model."""
        self.sent = sent
        self.kept = kept
        self._models: dict[int, State] = {}
        self._notes: dict[int, State] = {}

    def travels(self, name: str) -> bool:
        """Return whether a tensor is sent; `<kind>/<name>` is sent if `<name>` is."""
        return name.rpartition("/")[2].startswith(self.sent)

    def travelling(self, state: Mapping[str, Tensor]) -> State:
        """Return the tensors of a state that are sent."""
        return {name: tensor for name, tensor in state.items() if self.travels(name)}

    def local(self, client: int) -> State:
        """Return the tensors of its model that the client kept; empty before its first round."""
        return self._models.get(client, {})

    def notes(self, client: int) -> State:
        """Return the tensors kept for the aggregator; empty before the client's first round."""
        return self._notes.get(client, {})

    def keep(self, client: int, trained: Mapping[str, Tensor], notes: State) -> None:
        """Keep the part of a trained model that stays, and the aggregator's tensors."""
        # Cloned, because the next client overwrites the tensors of `trained`.
        kept = {name: t.detach().clone() for name, t in trained.items() if self._stays(name)}
        if kept:
            self._models[client] = kept
        if notes:
            self._notes[client] = notes

    def most_bytes(self) -> int:
        """Return the size in bytes of what a client keeps, of the client that keeps most."""
        clients = {*self._models, *self._notes}
        return max((num_bytes(self.local(c), self.notes(c)) for c in clients), default=0)

    def state(self) -> State:
        """Return everything kept, as `<client>/model/<name>` and `<client>/note/<name>`."""
        return {
            f"{client}/{kind}/{name}": tensor
            for kind, kept in (("model", self._models), ("note", self._notes))
            for client, tensors in kept.items()
            for name, tensor in tensors.items()
        }

    def load(self, state: Mapping[str, Tensor]) -> None:
        """Restore the result of `state`."""
        for key, tensor in state.items():
            client, kind, name = key.split("/", 2)
            kept = self._models if kind == "model" else self._notes
            kept.setdefault(int(client), {})[name] = tensor

    def _stays(self, name: str) -> bool:
        return name.startswith(self.kept) and not self.travels(name)


def build_memory(
    settings: FederatedSettings, *, sent: tuple[str, ...], kept: tuple[str, ...]
) -> ClientMemory:
    """Return the memory of a cell; its method declares the prefixes that are sent and kept.

    Under a `-bb` aggregator only the backbone is sent. The setting `client_heads` says whether the
    other tensors stay with the client or start every round anew.
    """
    _, transmit = parse_name(settings.aggregator["name"])
    if transmit == "all":
        return ClientMemory(sent=sent, kept=kept)
    # FedVSSL keeps the head with the client. Resetting it is the other reading of "-bb".
    held_back = sent if settings.federation.client_heads == "persist" else ()
    return ClientMemory(sent=(_BACKBONE,), kept=(*kept, *held_back))
