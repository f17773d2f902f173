"""Scores that the jobs of a run share, and that an interrupted job finds again.

The name of a score is the digest of everything that it depends on, so it does not matter which job
wrote it. The folder is not a declared output, because Snakemake deletes outputs before it restarts
a job. A run that succeeds removes it, unless a job that claimed a score has not succeeded.
"""

import json
import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

from fedssl.files import atomic_write

_FACTS = "facts"
_log = logging.getLogger(__name__)


class StoredScore(NamedTuple):
    """Tensors with one row per scored sample, and facts in the types of JSON."""

    tensors: dict[str, Tensor]
    facts: dict[str, Any]


@dataclass(frozen=True)
class ScoreStore:
    """A folder of scores by key."""

    folder: Path

    def find(self, key: str) -> StoredScore | None:
        """Return the score of a key; None if it is missing or damaged."""
        path = self._file(key)
        if not path.is_file():
            return None
        try:
            with safe_open(path, framework="pt") as file:
                facts = json.loads(file.metadata()[_FACTS])
            return StoredScore(load_file(path), facts)
        except (OSError, SafetensorError) as error:
            _log.warning("%s cannot be read, so it is computed again: %s", path, error)
            return None

    def put(self, key: str, tensors: Mapping[str, Tensor], facts: Mapping[str, Any]) -> None:
        """Write the score of a key."""
        own = {name: tensor.cpu().contiguous() for name, tensor in tensors.items()}
        with atomic_write(self._file(key)) as temporary:
            save_file(own, temporary, metadata={_FACTS: json.dumps(facts)})

    def claim(self, key: str) -> bool:
        """Announce that this job computes a score; return False if another job already did."""
        self.folder.mkdir(parents=True, exist_ok=True)
        try:
            self._claim(key).touch(exist_ok=False)
        except FileExistsError:
            return False
        return True

    def release(self, keys: Iterable[str]) -> None:
        """Withdraw claims, also those of earlier attempts of this job."""
        for key in keys:
            self._claim(key).unlink(missing_ok=True)

    def _file(self, key: str) -> Path:
        return self.folder / f"{key}.safetensors"

    def _claim(self, key: str) -> Path:
        return self.folder / f"{key}.claim"
