"""Compute the items of an iterator in a thread, a few ahead of their use.

Training draws its batches this way on a GPU: while the GPU computes a step, the thread reads the
samples of the next steps and takes their random numbers. It does so in the order of the steps, so
the numbers are those of a run without the thread.
"""

import time
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

import torch

Item = TypeVar("Item")

# A few slow reads in a row must not stop a GPU. Each step ahead takes the memory of its samples:
# 33 MB for two views of 256 crops of 2 s.
_STEPS = 4
_END = object()
_waited = 0.0


def steps_ahead(device: torch.device) -> int:
    """Return how many steps to draw ahead of a device; 0 draws each step when it is due."""
    # A CPU has no time to spare: a thread would take the cores that compute the step.
    return 0 if device.type == "cpu" else _STEPS


@contextmanager
def ahead(items: Iterable[Item], *, depth: int) -> Iterator[Iterator[Item]]:
    """Give an iterator over `items`; a thread computes up to `depth` of them in advance.

    An error of `items` is raised where its item is due. The thread has ended when the block ends,
    whether all items were used or not. With depth 0 there is no thread.
    """
    if depth == 0:
        yield _timed(iter(items))
        return
    with ThreadPoolExecutor(1, thread_name_prefix="ahead") as executor:
        waiting: deque[Future[object]] = deque()
        try:
            yield _timed(_taken(iter(items), executor, waiting, depth=depth))
        finally:
            for future in waiting:
                future.cancel()


def seconds_waited() -> float:
    """Return the seconds that this process has waited for items that were not there when due."""
    return _waited


def _timed(items: Iterator[Item]) -> Iterator[Item]:
    global _waited
    while True:
        started = time.perf_counter()
        item = next(items, _END)
        _waited += time.perf_counter() - started
        if item is _END:
            return
        yield item  # type: ignore[misc]


def _taken(
    items: Iterator[Item],
    executor: ThreadPoolExecutor,
    waiting: deque[Future[object]],
    *,
    depth: int,
) -> Iterator[Item]:
    waiting.extend(executor.submit(next, items, _END) for _ in range(depth))
    while (item := waiting.popleft().result()) is not _END:
        waiting.append(executor.submit(next, items, _END))
        yield item  # type: ignore[misc]
