"""What the server knows between two rounds."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import torch
from torch import Tensor

State = dict[str, Tensor]


@dataclass(frozen=True)
class Server:
    """The server after a round; every tensor of it is saved with the checkpoint.

    Attributes:
        model: the global model.
        state: the aggregator's own state (`Aggregator.init` and `step`).
        bytes_down: what all clients have received so far.
        bytes_up: what all clients have sent so far.
    """

    model: State
    state: State
    bytes_down: int = 0
    bytes_up: int = 0

    def after(self, model: State, state: State, *, down: int, up: int) -> "Server":
        """Return the server after one more round, in which so many bytes were sent."""
        sent = {"bytes_down": self.bytes_down + down, "bytes_up": self.bytes_up + up}
        return replace(self, model=model, state=state, **sent)

    def parts(self) -> dict[str, State]:
        """Return everything as tensors, by the name of the part."""
        sent = {"down": torch.tensor(self.bytes_down), "up": torch.tensor(self.bytes_up)}
        return {"model": self.model, "server": self.state, "bytes": sent}


def restored(parts: Mapping[str, State]) -> Server:
    """Return the server that `parts` were taken of."""
    sent = parts["bytes"]
    return Server(parts["model"], parts.get("server", {}), int(sent["down"]), int(sent["up"]))


def num_bytes(*states: Mapping[str, Tensor]) -> int:
    """Return the size of states as they travel: each tensor in its own type, uncompressed."""
    tensors = (tensor for state in states for tensor in state.values())
    return sum(tensor.numel() * tensor.element_size() for tensor in tensors)
