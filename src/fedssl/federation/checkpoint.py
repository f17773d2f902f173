"""Resumable state of a training: a checkpoint per round (or epoch); the last two are kept.

The folder is not a declared output, because Snakemake deletes outputs before it restarts a job.
Its name depends on everything that the result depends on, so a resumed job never mixes settings.
"""

import json
import logging
import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

from safetensors import safe_open
from safetensors.torch import load_file, save
from torch import Tensor

from fedssl.files import (
    atomic_write,
    digest,
    read_json,
    reading,
    remove_temporary_files,
    sha256,
    write_json,
)

State = dict[str, Tensor]
Parts = Mapping[str, State]
Rows = list[dict[str, Any]]

_KEPT = 2
_TRAINING = "training"
_COMMIT = re.compile(r"round(\d{6})\.json")
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
        # Not `save_file`: it writes to a temporary file of its own, which a kill would leave.
        temporary.write_bytes(save(tensors, metadata=metadata))


def read_training(path: str | Path) -> dict[str, Any]:
    """Return the facts of the training that a model file holds; empty for an earlier version.

    These are `updates`, `dropped_updates` (both of a federated training) and `backbone_change`.
    """
    with reading(path), safe_open(path, framework="pt") as file:
        facts: dict[str, Any] = json.loads((file.metadata() or {}).get(_TRAINING, "{}"))
    return facts


def load_state(path: str | Path) -> State:
    """Read a state dict onto the CPU; raise DamagedFile if it is not safetensors."""
    with reading(path):
        return load_file(path)


def checkpoint_folder(parent: str | Path, inputs: Mapping[str, str]) -> Path:
    """Return the folder of the training with these input files; other contents, another folder."""
    return Path(parent) / digest({name: sha256(path) for name, path in inputs.items()})[:16]


class Checkpoint(NamedTuple):
    """The state after a round or an epoch.

    Attributes:
        round: rounds, or epochs, that are done.
        parts: the state by part; a part without tensors is missing.
        rows: the history.
        kept: further files that belong to the checkpoint, by their names below its folder, each
            with its SHA-256.
    """

    round: int
    parts: dict[str, State]
    rows: Rows
    kept: dict[str, str]


def save_checkpoint(
    folder: Path,
    round_number: int,
    parts: Parts,
    rows: Rows,
    *,
    kept: Mapping[str, str] = MappingProxyType({}),
) -> None:
    """Save the state for the next round, the history, and the names and hashes of further files.

    The JSON file, written last, commits. It has a hash of each file that belongs to the checkpoint,
    and one of its own content.
    """
    weights = _weights(folder, round_number)
    tensors = {
        f"{part}/{n}": tensor for part, state in parts.items() for n, tensor in state.items()
    }
    save_state(tensors, weights)
    commit: dict[str, Any] = {
        "folder": _identity(folder),
        "round": round_number,
        "rows": rows,
        "files": {weights.name: sha256(weights), **kept},
    }
    write_json(_commit(folder, round_number), commit | {"digest": digest(commit)})
    # Two are kept, in case the newest is damaged.
    for old in _rounds(folder)[:-_KEPT]:
        _commit(folder, old).unlink()
        _weights(folder, old).unlink(missing_ok=True)


def load_checkpoint(folder: Path) -> Checkpoint | None:
    """Return the newest checkpoint whose files are all whole, or None.

    Temporary files of a killed attempt are removed. Only one attempt at a time uses a folder.
    """
    remove_temporary_files(folder)
    for round_number in reversed(_rounds(folder)):
        try:
            commit = _checked(folder, round_number)
            weights = _weights(folder, round_number)
            kept = {name: own for name, own in commit["files"].items() if name != weights.name}
            return Checkpoint(round_number, _parts(load_state(weights)), commit["rows"], kept)
        except (OSError, ValueError, KeyError, TypeError) as error:
            _log.warning(
                "the checkpoint of round %d in %s is not used: %s", round_number, folder, error
            )
    return None


def _checked(folder: Path, round_number: int) -> dict[str, Any]:
    """Return the content of a commit; raise ValueError if any file of the checkpoint differs."""
    name = _commit(folder, round_number).name
    commit = read_json(folder / name)
    if not isinstance(commit, dict) or digest(_content(commit)) != commit.get("digest"):
        raise ValueError(f"{name} was changed")
    if (commit["folder"], commit["round"]) != (_identity(folder), round_number):
        raise ValueError(f"{name} is of round {commit['round']} in {commit['folder']}")
    for file, expected in commit["files"].items():
        if sha256(folder / file) != expected:
            raise ValueError(f"{file} was changed")
    return commit


def _content(commit: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the digest of a commit covers."""
    return {name: value for name, value in commit.items() if name != "digest"}


def _identity(folder: Path) -> str:
    """Return the names of the folder and its parent, which depend on settings, code and inputs."""
    return "/".join(folder.absolute().parts[-2:])


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
    # Not copies that a user or a program that synchronises folders has made.
    found = (_COMMIT.fullmatch(path.name) for path in folder.glob("round*.json") if path.is_file())
    return sorted(int(match[1]) for match in found if match)


def _weights(folder: Path, round_number: int) -> Path:
    return folder / f"round{round_number:06d}.safetensors"


def _commit(folder: Path, round_number: int) -> Path:
    return folder / f"round{round_number:06d}.json"
