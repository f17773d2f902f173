"""Resumable state of a training: a checkpoint per round (or epoch); the last two are kept.

The folder is not a declared output, because Snakemake deletes outputs before it restarts a job.
Its name depends on everything that the result depends on, so a resumed job never mixes settings.
"""

import json
import logging
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

from fedssl.files import atomic_write, read_json, sha256, write_json

State = dict[str, Tensor]
Parts = Mapping[str, State]
Rows = list[dict[str, Any]]

_KEPT = 2
_TRAINING = "training"
_log = logging.getLogger(__name__)


def save_state(
    state: State, path: str | Path, *, training: Mapping[str, Any] | None = None
) -> None:
    """Write a state dict as safetensors, atomically; equal states have equal bytes.

    `training` are facts for `read_training`.
    """
    tensors = {name: t.detach().cpu().contiguous() for name, t in state.items()}
    # One key only: safetensors writes several in a random order.
    metadata = None if training is None else {_TRAINING: json.dumps(training, sort_keys=True)}
    with atomic_write(path) as temporary:
        save_file(tensors, temporary, metadata=metadata)


def read_training(path: str | Path) -> dict[str, Any]:
    """Return the facts of the training that a model file holds; empty for an earlier version.

    These are `updates`, `dropped_updates` (both of a federated training) and `backbone_change`.
    """
    with safe_open(path, framework="pt") as file:
        facts: dict[str, Any] = json.loads((file.metadata() or {}).get(_TRAINING, "{}"))
    return facts


def load_state(path: str | Path) -> State:
    """Read a state dict onto the CPU."""
    return load_file(path)


def save_checkpoint(folder: Path, round_number: int, parts: Parts, rows: Rows) -> None:
    """Save the state for the next round and the history; the JSON file, written last, commits."""
    weights = _weights(folder, round_number)
    tensors = {
        f"{part}/{n}": tensor for part, state in parts.items() for n, tensor in state.items()
    }
    save_state(tensors, weights)
    commit = {"round": round_number, "sha256": sha256(weights), "rows": rows}
    write_json(_commit(folder, round_number), commit)
    # Two are kept, in case the newest is damaged.
    for old in _rounds(folder)[:-_KEPT]:
        _commit(folder, old).unlink()
        _weights(folder, old).unlink(missing_ok=True)


def load_checkpoint(folder: Path) -> tuple[int, dict[str, State], Rows] | None:
    """Return (round, parts, history) of the newest undamaged checkpoint, or None.

    A part without tensors is missing in the parts.
    """
    for round_number in reversed(_rounds(folder)):
        weights = _weights(folder, round_number)
        try:
            commit = read_json(_commit(folder, round_number))
            if sha256(weights) == commit["sha256"]:
                return round_number, _parts(load_state(weights)), commit["rows"]
        except (OSError, ValueError, KeyError) as error:
            _log.warning("checkpoint of round %d cannot be read: %s", round_number, error)
            continue
        _log.warning("checkpoint of round %d is damaged: going back a round", round_number)
    return None


def remove_checkpoints(folder: Path) -> None:
    """Remove the folder, after the outputs are written and recorded."""
    shutil.rmtree(folder, ignore_errors=True)


def _parts(tensors: State) -> dict[str, State]:
    parts: dict[str, State] = {}
    for key, tensor in tensors.items():
        part, name = key.split("/", 1)
        parts.setdefault(part, {})[name] = tensor
    return parts


def _rounds(folder: Path) -> list[int]:
    return sorted(int(path.stem.removeprefix("round")) for path in folder.glob("round*.json"))


def _weights(folder: Path, round_number: int) -> Path:
    return folder / f"round{round_number:06d}.safetensors"


def _commit(folder: Path, round_number: int) -> Path:
    return folder / f"round{round_number:06d}.json"
