"""Global models of chosen rounds, which FASSL scores after training and figure 2 maps.

A score depends only on the model. So scoring rounds after the training gives the same numbers as
scoring them during it, and a task that is added later needs no new training.
"""

import shutil
from collections.abc import Collection
from pathlib import Path

from torch import Tensor

from fedssl.errors import UserError
from fedssl.federation.checkpoint import save_state
from fedssl.files import atomic_write


class Milestones:
    """Keeps the models of some rounds next to a job's checkpoints until the job ends."""

    def __init__(self, folder: Path, rounds: Collection[int]) -> None:
        """Keep `rounds` in `folder`; round 0 is the random encoder."""
        self._folder = folder
        self._rounds = sorted(rounds)

    def keep(self, round_number: int, state: dict[str, Tensor]) -> None:
        """Write the model of a round if the round is to be kept."""
        if round_number in self._rounds:
            save_state(state, milestone(self._folder, round_number))

    def deliver(self, target: str | Path) -> None:
        """Copy all kept models into the folder `target`; create it even if there are none."""
        Path(target).mkdir(parents=True, exist_ok=True)
        for round_number in self._rounds:
            with atomic_write(milestone(target, round_number)) as temporary:
                shutil.copyfile(milestone(self._folder, round_number), temporary)


def milestone(folder: str | Path, round_number: int) -> Path:
    """Return the file of a round's model in a folder of milestones."""
    return Path(folder) / f"round{round_number}.safetensors"


def kept_rounds(folder: str | Path) -> list[int]:
    """Return the rounds with a model in the folder, sorted; raise UserError without any."""
    models = Path(folder).glob("round*.safetensors")
    found = sorted(int(path.stem.removeprefix("round")) for path in models)
    if not found:
        raise UserError(
            f"{folder} holds no model of a round. List the rounds to keep in the cell's setting "
            "federation.kept_rounds, and pretrain the cell again."
        )
    return found
