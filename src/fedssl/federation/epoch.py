"""An epoch's batches as a Trainer takes them."""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch

from fedssl.ahead import ahead, steps_ahead
from fedssl.federation.batches import Batch

# Modality, and a function that returns the views.
DrawnBatch = tuple[str, Callable[[], Any]]


class Epoch:
    """An epoch's batches, drawn ahead. A Trainer would treat a bare list as a list of loaders."""

    def __init__(
        self,
        batches: Sequence[Batch],
        draw: Callable[[Batch], DrawnBatch],
        *,
        device: torch.device,
    ) -> None:
        """Store the batches, and how to draw one."""
        self._batches = batches
        self._draw = draw
        self._depth = steps_ahead(device)
        self._stack = contextlib.ExitStack()

    def __iter__(self) -> Iterator[DrawnBatch]:
        """Draw the batches."""
        drawn = map(self._draw, self._batches)
        return self._stack.enter_context(ahead(drawn, depth=self._depth))

    def __len__(self) -> int:
        """Return the number of batches."""
        return len(self._batches)

    def close(self) -> None:
        """End the thread that draws."""
        self._stack.close()
