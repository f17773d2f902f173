"""The server's state between two rounds."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import torch
from torch import Tensor

State = dict[str, Tensor]


@dataclass(frozen=True)
class Server:
    """The server's state after a round; every checkpoint saves all of it.

    Attributes:
        model: the global model.
        state: the aggregator's own state (`Aggregator.init` and `step`).
        bytes_down: bytes that all clients have received so far.
        bytes_up: bytes of all updates that were used so far.
    """

    model: State
    state: State
    bytes_down: int = 0
    bytes_up: int = 0

    def after(self, model: State, state: State, *, down: int, up: int) -> "Server":
        """Return the state after one more round, with the bytes of that round."""
        sent = {"bytes_down": self.bytes_down + down, "bytes_up": self.bytes_up + up}
        return replace(self, model=model, state=state, **sent)

    def parts(self) -> dict[str, State]:
        """Return the state as tensors, by the name of the part."""
        # The bytes too, so that a resumed job includes those of earlier rounds.
        sent = {"down": torch.tensor(self.bytes_down), "up": torch.tensor(self.bytes_up)}
        return {"model": self.model, "server": self.state, "bytes": sent}


def restored(parts: Mapping[str, State]) -> Server:
    """Return the server's state from its `parts`."""
    sent = parts["bytes"]
    return Server(parts["model"], parts.get("server", {}), int(sent["down"]), int(sent["up"]))


def num_bytes(*states: Mapping[str, Tensor]) -> int:
    """Return the size of states in bytes when sent: each tensor in its own type, uncompressed."""
    tensors = (tensor for state in states for tensor in state.values())
    return sum(tensor.numel() * tensor.element_size() for tensor in tensors)
