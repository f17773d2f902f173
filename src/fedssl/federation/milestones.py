"""Global models kept on the way: what FASSL scores after training and figure 2 maps.

A score needs the model alone, so scoring rounds afterwards gives the numbers that a server
scoring them as they end would get, and a task that is added later trains nothing again.
"""

import shutil
from collections.abc import Collection
from pathlib import Path

from torch import Tensor

from fedssl.errors import UserError
from fedssl.federation.checkpoint import save_state
from fedssl.files import atomic_write


class Milestones:
    """Keeps the models of some rounds next to a job's checkpoints until it ends."""

    def __init__(self, folder: Path, rounds: Collection[int]) -> None:
        """Keep `rounds` in `folder`; round 0 is the random encoder."""
        self._folder = folder
        self._rounds = sorted(rounds)

    def keep(self, round_number: int, state: dict[str, Tensor]) -> None:
        """Write the model of a round, if it is one to keep."""
        if round_number in self._rounds:
            save_state(state, milestone(self._folder, round_number))

    def deliver(self, target: str | Path) -> None:
        """Copy all kept models into the folder `target`, which is made even for none."""
        Path(target).mkdir(parents=True, exist_ok=True)
        for round_number in self._rounds:
            with atomic_write(milestone(target, round_number)) as temporary:
                shutil.copyfile(milestone(self._folder, round_number), temporary)


def milestone(folder: str | Path, round_number: int) -> Path:
    """Return the file of a round's model in a folder of milestones."""
    return Path(folder) / f"round{round_number}.safetensors"


def kept_rounds(folder: str | Path) -> list[int]:
    """Return the rounds whose models a folder holds, in order; UserError if there is none."""
    models = Path(folder).glob("round*.safetensors")
    found = sorted(int(path.stem.removeprefix("round")) for path in models)
    if not found:
        raise UserError(
            f"{folder} holds no model of a round: name the rounds to keep in the cell's setting "
            "federation.kept_rounds and pretrain it again."
        )
    return found
