"""Clients of a round trained side by side, in processes that stay for the whole job.

Every random stream is a client's own and updates are summed in the order of clients, so the model
is bit by bit the one that a single process trains.
"""

import os
import signal
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import replace
from multiprocessing import get_context, parent_process
from threading import Thread
from types import TracebackType
from typing import Any, Self

import torch
from safetensors.torch import load, save
from torch import Tensor

from fedssl.aggregators import ClientUpdate
from fedssl.device import prepare_device
from fedssl.errors import UserError
from fedssl.federation.client import ClientTask, LocalTrainer, Trained, local_trainer
from fedssl.federation.history import Row

State = dict[str, Tensor]


class WorkerPool:
    """Trains clients as a `LocalTrainer` does, several at once; close it, as a context, after use.

    A script that starts one needs the guard `if __name__ == "__main__"`, because workers import
    it. States travel as bytes through pipes: 45 MB a client for a ResNet-18, and no shared memory,
    of which containers have little.
    """

    def __init__(
        self,
        workers: int,
        settings: Mapping[str, Any],
        inputs: Mapping[str, str],
        *,
        device: torch.device,
    ) -> None:
        """Start workers, each with a model and views of its own on the device."""
        self._workers = workers
        self._device = device
        self._executor = ProcessPoolExecutor(
            workers, get_context("spawn"), _start, (dict(settings), dict(inputs))
        )

    def train_each(self, tasks: Iterable[ClientTask]) -> Iterator[Trained]:
        """Yield each task's update and rows of history, in the order of tasks.

        One task more than there are workers is on its way, so that none waits for the caller.
        Raises UserError where a worker was killed, as it is when memory runs out.
        """
        waiting: deque[Future[_Answer]] = deque()
        for task in tasks:
            waiting.append(
                self._executor.submit(_train, replace(task, received={}), _pack(task.received))
            )
            if len(waiting) > self._workers:
                yield self._answer(waiting.popleft())
        while waiting:
            yield self._answer(waiting.popleft())

    def _answer(self, future: "Future[_Answer]") -> Trained:
        try:
            state, num_samples, loss, rows = future.result()
        except BrokenProcessPool as error:
            raise UserError(
                f"one of {self._workers} processes that train clients side by side was killed, "
                "which the system does when memory runs out. Give the job more memory, or fewer "
                "threads: then fewer train at once. Its finished rounds are kept."
            ) from error
        received = {name: tensor.to(self._device) for name, tensor in load(state).items()}
        return ClientUpdate(received, num_samples, loss), rows

    def __enter__(self) -> Self:
        """Return the pool."""
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        """End the workers, after what they are at."""
        self._executor.shutdown(cancel_futures=True)


_Answer = tuple[bytes, int, float, list[Row]]
_trainer: LocalTrainer  # of a worker


def _start(settings: Mapping[str, Any], inputs: Mapping[str, str]) -> None:
    """Make a worker ready; it ends with its parent, however that ends, and not by Ctrl-C."""
    global _trainer
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    Thread(target=_end_with_parent, daemon=True).start()
    device = prepare_device(settings["threads"])
    _trainer = local_trainer(settings, inputs, device=device)


def _end_with_parent() -> None:
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _train(task: ClientTask, received: bytes) -> _Answer:
    update, rows = _trainer.train(replace(task, received=load(received)))
    return _pack(update.state), update.num_samples, update.loss, rows


def _pack(state: State) -> bytes:
    return save({name: tensor.detach().cpu().contiguous() for name, tensor in state.items()})
