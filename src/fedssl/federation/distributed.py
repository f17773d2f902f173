"""Train a round's clients in parallel, in processes that live as long as the job.

Each process uses one GPU of the job, or the CPU. Each client has random streams of its own and
updates are summed in client order. The model is therefore the same, bit for bit, as with one
process.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import replace
from itertools import zip_longest
from multiprocessing import get_context
from multiprocessing.queues import SimpleQueue
from types import TracebackType
from typing import NamedTuple, Self

import torch
from torch import Tensor

from fedssl.aggregators import ClientUpdate
from fedssl.device import prepare_device
from fedssl.errors import OutOfMemory
from fedssl.federation.client import LocalTrainer, local_trainer
from fedssl.federation.history import Row
from fedssl.federation.settings import FederatedSettings
from fedssl.federation.shared import Memory, Message, State, read, write
from fedssl.federation.trainer import ClientTask, Trained
from fedssl.gpus import use_only, visible_gpus
from fedssl.publishing import check_publishing
from fedssl.workers import follow_parent

# Clients in a group, for each worker. Larger groups share the work a little better, but the states
# of two groups can be in memory.
_GROUP = 8


class WorkerPool:
    """Trains clients as a `LocalTrainer` does, several in parallel; a context manager.

    A script that uses it needs the guard `if __name__ == "__main__"`, because workers import the
    script. States (45 MB for a ResNet-18) are exchanged in shared memory.
    """

    def __init__(
        self,
        workers: int,
        settings: FederatedSettings,
        inputs: Mapping[str, str],
        *,
        device: torch.device,
    ) -> None:
        """Start the workers, each with its own model and views on the device.

        On GPUs, the workers are spread over all that this process may use.
        """
        self._workers = workers
        self._device = device
        context = get_context("spawn")
        gpus: SimpleQueue[str | None] = context.SimpleQueue()
        found = visible_gpus() if device.type == "cuda" else [None]
        for worker in range(workers):
            gpus.put(found[worker % len(found)])
        self._executor = ProcessPoolExecutor(
            workers, context, _start, (settings, dict(inputs), gpus)
        )
        self._sent = _Sent({}, {})

    def train_each(self, tasks: Iterable[ClientTask]) -> Iterator[Trained]:
        """Yield the result of each task, in order.

        Raises OutOfMemory if a worker was killed, which happens when memory runs out.
        """
        try:
            yield from self._in_groups(list(tasks), size=_GROUP * self._workers)
        except BrokenProcessPool as error:
            raise OutOfMemory(
                f"one of {self._workers} processes that train clients in parallel was killed, "
                "probably because memory ran out. Give the job more memory, or let fewer clients "
                "train in parallel (--set-resources pretrain:clients=1). Finished rounds are kept."
            ) from error

    def _in_groups(self, tasks: Sequence[ClientTask], *, size: int) -> Iterator[Trained]:
        groups = [tasks[start : start + size] for start in range(0, len(tasks), size)]
        coming = self._submit(groups[0]) if groups else {}
        # The next group is submitted before this one is used up, so that no worker runs out.
        for group, following in zip_longest(groups, groups[1:], fillvalue=()):
            submitted, coming = coming, self._submit(following)
            for task in group:
                yield self._answer(submitted.pop(task.client))

    def _submit(self, tasks: Sequence[ClientTask]) -> "dict[int, _Running]":
        """Submit tasks, the longest first, so that workers end together; return them by client."""
        longest = sorted(tasks, key=lambda task: task.num_samples, reverse=True)
        return {task.client: self._start(task) for task in longest}

    def _start(self, task: ClientTask) -> "_Running":
        visit = task.visit
        # Most rules send the same tensors to all clients of a round.
        if not self._sent.holds(visit.received, visit.broadcast):
            self._sent = _Sent(visit.received, visit.broadcast)
        own, answer = _Sent(visit.kept, task.local), Memory()
        bare = replace(visit, received={}, broadcast={}, kept={})
        bare_task = replace(task, visit=bare, local={})
        messages = (self._sent.message, own.message)
        future = self._executor.submit(_train, bare_task, messages, answer.path)
        return _Running(future, (self._sent, own, answer))

    def _answer(self, running: "_Running") -> Trained:
        message, num_samples, loss, rows, fault = running.future.result()
        state, *others = read(message)
        state = {name: tensor.to(self._device) for name, tensor in state.items()}
        # Copied, because they are used for longer, and would keep the memory of the whole update.
        report, notes = (
            {name: tensor.to(self._device, copy=True) for name, tensor in other.items()}
            for other in others
        )
        return Trained(ClientUpdate(state, num_samples, loss, report), notes, rows, fault)

    def __enter__(self) -> Self:
        """Return the pool."""
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        """Stop the workers after their current tasks."""
        self._executor.shutdown(cancel_futures=True)


class _Sent:
    """States that were written to a memory, which lives as long as this object."""

    def __init__(self, *states: Mapping[str, Tensor]) -> None:
        self._states = states
        self._memory = Memory()
        self.message = write(self._memory.path, *states)

    def holds(self, *states: Mapping[str, Tensor]) -> bool:
        """Return whether these very tensors were written."""
        return all(
            mine.keys() == state.keys() and all(mine[name] is t for name, t in state.items())
            for mine, state in zip(self._states, states, strict=True)
        )


_Answer = tuple[Message, int, float, list[Row], str | None]


class _Running(NamedTuple):
    """A submitted task, and the memory that is needed until it has been answered."""

    future: "Future[_Answer]"
    memory: tuple[object, ...]


_trainer: LocalTrainer  # of a worker
_device: torch.device


def _start(
    settings: FederatedSettings, inputs: Mapping[str, str], gpus: "SimpleQueue[str | None]"
) -> None:
    """Set up a worker on the next of the GPUs, or on the CPU if that is None.

    It ignores Ctrl-C and ends when its parent ends, for whatever reason.
    """
    global _trainer, _device
    follow_parent()
    if (gpu := gpus.get()) is not None:
        use_only(gpu)
    _device = prepare_device(
        settings.threads, precision=settings.precision, portable=settings.portable
    )
    _trainer = local_trainer(settings, inputs, device=_device)


def _train(task: ClientTask, messages: tuple[Message, Message], answer: str) -> _Answer:
    """Train on what two messages bring, and write the result to the memory `answer`."""
    (received, broadcast), (kept, local) = (
        [_on_device(state) for state in read(message)] for message in messages
    )
    visit = replace(task.visit, received=received, broadcast=broadcast, kept=kept)
    update, notes, rows, fault = _trainer.train(replace(task, visit=visit, local=local))
    # The parent keeps the update, and does not know what was read for it.
    check_publishing()
    message = write(answer, update.state, update.report, notes)
    return message, update.num_samples, update.loss, rows, fault


def _on_device(state: Mapping[str, Tensor]) -> State:
    return {name: tensor.to(_device) for name, tensor in state.items()}
