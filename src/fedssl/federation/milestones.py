"""Global models of chosen rounds, which FASSL scores after training and figure 2 maps.

A score depends only on the model. So scoring rounds after the training gives the same numbers as
scoring them during it, and a task that is added later needs no new training.
"""

import shutil
from collections.abc import Collection, Mapping
from pathlib import Path

from torch import Tensor

from fedssl.errors import UserError
from fedssl.federation.checkpoint import save_state
from fedssl.files import atomic_write, sha256

_NAME = "milestones"


class Milestones:
    """Keeps the models of some rounds next to a job's checkpoints until the job ends."""

    def __init__(self, folder: Path, rounds: Collection[int]) -> None:
        """Keep `rounds` next to the checkpoints in `folder`; round 0 is the random encoder."""
        self._folder = folder / _NAME
        self._rounds = sorted(rounds)
        self._hashes: dict[int, str] = {}

    def keep(self, round_number: int, state: dict[str, Tensor]) -> None:
        """Write the model of a round if the round is to be kept."""
        if round_number in self._rounds:
            save_state(state, file := milestone(self._folder, round_number))
            self._hashes[round_number] = sha256(file)

    def files(self) -> dict[str, str]:
        """Return the files of the kept models, by name below the folder of checkpoints: SHA-256."""
        return {f"{_NAME}/{milestone('', r)}": own for r, own in self._hashes.items()}

    def restore(self, files: Mapping[str, str]) -> None:
        """Continue with the kept models of a checkpoint, which `files` returned."""
        named = {f"{_NAME}/{milestone('', r)}": r for r in self._rounds}
        self._hashes = {named[name]: own for name, own in files.items()}

    def deliver(self, target: str | Path) -> None:
        """Copy all kept models into the folder `target`; create it even if there are none.

        Raises:
            UserError: a model is not the one that was kept.
        """
        Path(target).mkdir(parents=True, exist_ok=True)
        for round_number in self._rounds:
            kept = milestone(self._folder, round_number)
            with atomic_write(milestone(target, round_number)) as temporary:
                if kept.is_file():
                    shutil.copyfile(kept, temporary)
                if sha256(temporary) != self._hashes[round_number]:
                    raise UserError(
                        f"{kept} was changed or removed while the cell trained; run again: the "
                        "training then repeats the rounds that it belongs to."
                    )


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
