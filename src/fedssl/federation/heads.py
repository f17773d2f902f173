"""Which head a client trains with: the server's, its own, or one of the two by its drift."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from fedssl.aggregators.fedu import drift

State = dict[str, Tensor]


class Heads(ABC):
    """What is kept of each client between its rounds; `state` is part of every checkpoint."""

    transmits_head = True

    @abstractmethod
    def receive(self, client: int, global_state: State) -> State:
        """Return the state that a client starts its local training from."""

    @abstractmethod
    def keep(self, client: int, received: State, trained: State) -> None:
        """Take note of what local training made of it."""

    def state(self) -> State:
        """Return what must survive an interruption, as named tensors."""
        return {}

    def load(self, state: State) -> None:  # noqa: B027 (nothing kept, nothing to load)
        """Take back what `state` returned."""


class SharedHead(Heads):
    """The head is a part of the global model like any other."""

    def receive(self, client: int, global_state: State) -> State:
        """Return the global state."""
        return global_state

    def keep(self, client: int, received: State, trained: State) -> None:
        """Keep nothing."""


class OwnHead(Heads):
    """Backbone-only transmission: each client's head stays with it (FedVSSL).

    A client that takes part for the first time starts from the head of round 0.
    """

    transmits_head = False

    def __init__(self, initial: State) -> None:
        """Keep the head of round 0."""
        self._initial = _head(initial)
        self._kept: dict[int, State] = {}

    def receive(self, client: int, global_state: State) -> State:
        """Return the global backbone with the client's own head."""
        return {**global_state, **self._kept.get(client, self._initial)}

    def keep(self, client: int, received: State, trained: State) -> None:
        """Keep the head."""
        self._kept[client] = _head(trained)

    def state(self) -> State:
        """Return the heads as `client{k}/head...`."""
        return {
            f"client{client}/{name}": tensor
            for client, head in self._kept.items()
            for name, tensor in head.items()
        }

    def load(self, state: State) -> None:
        """Take the heads back."""
        for key, tensor in state.items():
            client, name = key.removeprefix("client").split("/", 1)
            self._kept.setdefault(int(client), {})[name] = tensor


class FirstHead(OwnHead):
    """Backbone-only transmission to clients that keep nothing: each starts from round 0's head."""

    def keep(self, client: int, received: State, trained: State) -> None:
        """Keep nothing."""


class HeadByDrift(OwnHead):
    """FedU's choice: a client whose last drift reached `mu` keeps its own head."""

    transmits_head = True
    _DRIFT = "drift"

    def __init__(self, initial: State, *, mu: float) -> None:
        """Keep the threshold; `<` takes the global head, so a drift of exactly `mu` does not."""
        super().__init__(initial)
        self._mu = mu

    def receive(self, client: int, global_state: State) -> State:
        """Return the global state, with the client's own head if it drifted far."""
        kept = self._kept.get(client)
        if kept is None or float(kept[self._DRIFT]) < self._mu:
            return global_state
        return {**global_state, **{n: t for n, t in kept.items() if n != self._DRIFT}}

    def keep(self, client: int, received: State, trained: State) -> None:
        """Keep the head and how far the backbone moved."""
        moved = torch.tensor(drift(received, trained), dtype=torch.float64)
        self._kept[client] = {**_head(trained), self._DRIFT: moved}


def build_heads(settings: Mapping[str, Any], initial: State) -> Heads:
    """Return the way of a cell's aggregator: `-bb` keeps heads, fedu chooses, the others share."""
    aggregator = settings["aggregator"]
    if aggregator["name"].endswith("-bb"):
        persist = settings["federation"]["client_heads"] == "persist"
        return OwnHead(initial) if persist else FirstHead(initial)
    if aggregator["name"] == "fedu":
        return HeadByDrift(initial, mu=aggregator["mu"])
    return SharedHead()


def _head(state: State) -> State:
    return {name: t.detach().clone() for name, t in state.items() if name.startswith("head.")}
