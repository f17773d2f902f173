"""What each client keeps between its rounds, for its method or for the aggregator."""

from collections.abc import Mapping

from torch import Tensor

from fedssl.federation.settings import FederatedSettings
from fedssl.grid.transmission import parse_name

State = dict[str, Tensor]
_BACKBONE = "backbone."


class ClientMemory:
    """What clients keep between their rounds; all of it is saved with every checkpoint.

    A tensor of a client's model does one of three things. It travels: it is part of the global
    model. Or it stays with the client until its next round, such as the own head under a `-bb`
    aggregator. Or it starts anew in every round, from its value in round 0; so does one that
    stays, in a client's first round. Next to the model, an aggregator may keep tensors of its own
    for each client, such as SCAFFOLD's control variate.
    """

    def __init__(self, *, sent: tuple[str, ...], kept: tuple[str, ...]) -> None:
        """Start without a memory; `sent` and `kept` are prefixes of names in the model."""
        self._sent = sent
        self._kept = kept
        self._models: dict[int, State] = {}
        self._notes: dict[int, State] = {}

    def travels(self, name: str) -> bool:
        """Return whether a tensor is sent; `<kind>/<name>` is sent if `<name>` is."""
        return name.rpartition("/")[2].startswith(self._sent)

    def travelling(self, state: Mapping[str, Tensor]) -> State:
        """Return the tensors of a state that are sent."""
        return {name: tensor for name, tensor in state.items() if self.travels(name)}

    def local(self, client: int) -> State:
        """Return what the client keeps of its model; nothing before its first round."""
        return self._models.get(client, {})

    def notes(self, client: int) -> State:
        """Return what the client keeps for the aggregator; nothing before its first round."""
        return self._notes.get(client, {})

    def keep(self, client: int, trained: Mapping[str, Tensor], notes: State) -> None:
        """Remember the kept part of a trained model, and what the aggregator keeps."""
        # Cloned, because `trained` is the resident model that the next client overwrites.
        kept = {name: t.detach().clone() for name, t in trained.items() if self._stays(name)}
        if kept:
            self._models[client] = kept
        if notes:
            self._notes[client] = notes

    def state(self) -> State:
        """Return all that is remembered, as `<client>/model/<name>` and `<client>/note/<name>`."""
        return {
            f"{client}/{kind}/{name}": tensor
            for kind, kept in (("model", self._models), ("note", self._notes))
            for client, tensors in kept.items()
            for name, tensor in tensors.items()
        }

    def load(self, state: Mapping[str, Tensor]) -> None:
        """Remember what `state` returned."""
        for key, tensor in state.items():
            client, kind, name = key.split("/", 2)
            kept = self._models if kind == "model" else self._notes
            kept.setdefault(int(client), {})[name] = tensor

    def _stays(self, name: str) -> bool:
        return name.startswith(self._kept) and not self.travels(name)


def build_memory(
    settings: FederatedSettings, *, sent: tuple[str, ...], kept: tuple[str, ...]
) -> ClientMemory:
    """Return the memory of a cell, whose method declares which prefixes are sent and kept.

    Under a `-bb` aggregator only the backbone travels. The setting `client_heads` says whether the
    rest of what the method would send then stays with the client or starts anew.
    """
    _, transmit = parse_name(settings.aggregator["name"])
    if transmit == "all":
        return ClientMemory(sent=sent, kept=kept)
    # FedVSSL keeps the head with the client; resetting it is the other reading of "-bb".
    held_back = sent if settings.federation.client_heads == "persist" else ()
    return ClientMemory(sent=(_BACKBONE,), kept=(*kept, *held_back))
