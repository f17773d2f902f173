"""Resumable state of a supervised training: a checkpoint per epoch."""

import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from fedssl.federation.checkpoint import load_checkpoint, save_checkpoint

_MOMENTUM = "momentum_buffer"
_log = logging.getLogger(__name__)


@dataclass
class EpochCheckpoints:
    """Saves a training after each epoch, and restores the newest checkpoint.

    Attributes:
        folder: folder of the checkpoints.
        generators: name -> generator that the training draws from; the training sets them.
        done: number of epochs done when the training was restored.
        seconds: duration of these epochs.
    """

    folder: Path
    generators: dict[str, np.random.Generator] = field(default_factory=dict)
    done: int = 0
    seconds: float = 0.0
    _started: float = field(default_factory=time.monotonic)

    def restore(self, model: nn.Module, optimiser: torch.optim.Optimizer) -> int:
        """Continue from the newest checkpoint; return the number of epochs done, perhaps 0."""
        self._started = time.monotonic()
        if (found := load_checkpoint(self.folder)) is None:
            return 0
        self.done, (facts,) = found.round, found.rows
        _fill(model.state_dict(), found.parts["model"])
        momentum = found.parts.get("momentum", {})
        for name, parameter in model.named_parameters():
            if name in momentum:
                # A fused step needs the parameter's memory layout, which files do not keep.
                kept = torch.empty_like(parameter).copy_(momentum[name])
                optimiser.state[parameter][_MOMENTUM] = kept
        for name, generator in self.generators.items():
            generator.bit_generator.state = facts["generators"][name]
        self.seconds = facts["seconds"]
        _log.info("resuming after epoch %d", self.done)
        return self.done

    def facts(self) -> dict[str, Any]:
        """Return the facts for the provenance record."""
        return {"resumed_after_epoch": self.done, "earlier_seconds": self.seconds}

    def save(self, epoch: int, model: nn.Module, optimiser: torch.optim.Optimizer) -> None:
        """Save the training after an epoch, counted from 1."""
        states = {name: optimiser.state[parameter] for name, parameter in model.named_parameters()}
        momentum = {name: s[_MOMENTUM] for name, s in states.items() if _MOMENTUM in s}
        facts = {
            "generators": {n: g.bit_generator.state for n, g in self.generators.items()},
            "seconds": self.seconds + time.monotonic() - self._started,
        }
        parts = {"model": model.state_dict(), "momentum": momentum}
        save_checkpoint(self.folder, epoch, parts, [facts])


@torch.no_grad()
def _fill(state: Mapping[str, Tensor], saved: Mapping[str, Tensor]) -> None:
    for name, tensor in state.items():
        tensor.copy_(saved[name])
