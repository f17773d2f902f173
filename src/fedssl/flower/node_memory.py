"""Files of what clients keep between rounds: on their own node, never at the server.

The server knows only the round that a client's memory is of, and names it in the next task. So a
client whose update was dropped goes on with its earlier memory, and a training that is resumed
goes on with the memory of its checkpoint, as in the native engine.
"""

from collections.abc import Mapping
from pathlib import Path

from torch import Tensor

from fedssl.errors import UserError
from fedssl.federation.checkpoint import load_state, save_state
from fedssl.federation.memory import ClientMemory

State = dict[str, Tensor]
_ROUND = "round"


class RemoteMemory(ClientMemory):
    """The server's view of the clients' memory: for each client, the round that it is of."""

    def __init__(self, memory: ClientMemory) -> None:
        """Start empty, with the same tensors sent as in `memory`."""
        super().__init__(sent=memory.sent, kept=())

    def notes(self, client: int) -> State:
        """Return nothing: what a client keeps is not here."""
        return {}

    def round_of(self, client: int) -> int:
        """Return the round that a client's memory is of; 0 if it has none."""
        return int(super().notes(client).get(_ROUND, 0))


def recall(folder: Path, round_number: int) -> State:
    """Return what a client kept in a round; empty for round 0.

    Raises:
        UserError: The file is missing.
    """
    if round_number == 0:
        return {}
    if not (file := _file(folder, round_number)).is_file():
        raise UserError(
            f"{file} is missing, where this client kept tensors in round {round_number}; give the "
            "node the folder that it had then (memory in --node-config), or start the cell anew."
        )
    return load_state(file)


def remember(folder: Path, kept: Mapping[str, Tensor], *, round_number: int, after: int) -> None:
    """Write what a client keeps, and remove what no checkpoint of the server can ask for.

    `after` is the round of the memory that it started from. That one and the one before it stay,
    because the server has two checkpoints.
    """
    save_state(dict(kept), _file(folder, round_number))
    earlier = sorted(number for number in _rounds(folder) if number < after)
    for number in _rounds(folder) - {round_number, after, *earlier[-1:]}:
        _file(folder, number).unlink()


def _file(folder: Path, round_number: int) -> Path:
    return folder / f"{_ROUND}{round_number}.safetensors"


def _rounds(folder: Path) -> set[int]:
    return {int(path.stem.removeprefix(_ROUND)) for path in folder.glob(f"{_ROUND}*.safetensors")}
