"""The order in which clients in parallel start: the longest first, a bounded number at a time."""

from concurrent.futures import Future
from typing import Any

import numpy as np
import pytest
import torch

from fedssl.aggregators.base import Visit
from fedssl.federation import distributed
from fedssl.federation.distributed import WorkerPool
from fedssl.federation.shared import Message, write
from fedssl.federation.trainer import ClientTask
from tests.unit.federations import SETTINGS, federated


class Submissions:
    """Stands in for `ProcessPoolExecutor`: notes the tasks, and answers each when it is asked."""

    def __init__(self, *_: object) -> None:
        self.clients: list[int] = []
        self.shared: list[str] = []
        self.answered = 0

    def submit(
        self, _: object, task: ClientTask, messages: list[Message], path: str
    ) -> "Future[Any]":
        self.clients.append(task.client)
        self.shared.append(messages[0].path)
        message = write(path, {}, {}, {})
        return Answer(self, (message, task.num_samples, 1.0, [], None))

    def shutdown(self, **_: object) -> None:
        """There is nothing to stop."""


class Answer(Future):  # type: ignore[type-arg]
    def __init__(self, pool: Submissions, answer: Any) -> None:
        super().__init__()
        self._pool = pool
        self.set_result(answer)

    def result(self, timeout: float | None = None) -> Any:
        self._pool.answered += 1
        return super().result(timeout)


def tasks_of(
    sizes: list[int], received: list[dict[str, torch.Tensor]] | None = None
) -> list[ClientTask]:
    received = received or [{}] * len(sizes)
    return [
        ClientTask(
            1, 10 * place, {"image": np.arange(size)}, Visit(received[place], {}, {}, 1.0), {}
        )
        for place, size in enumerate(sizes)
    ]


def test_the_longest_tasks_start_first_and_results_keep_the_clients_order(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(distributed, "ProcessPoolExecutor", Submissions)
    sizes = [3, 9, 4, 9, 1]
    with WorkerPool(2, federated(SETTINGS), {}, device=torch.device("cpu")) as pool:
        trained = list(pool.train_each(tasks_of(sizes)))
        assert pool._executor.clients == [10, 30, 20, 0, 40]
        assert list(pool.train_each([])) == []
    assert [result.update.num_samples for result in trained] == sizes


def test_a_large_round_does_not_fill_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(distributed, "ProcessPoolExecutor", Submissions)
    sizes = [1 + place * 7 % 100 for place in range(100)]
    with WorkerPool(2, federated(SETTINGS), {}, device=torch.device("cpu")) as pool:
        trained = pool.train_each(tasks_of(sizes))
        for place, size in enumerate(sizes):
            assert next(trained).update.num_samples == size
            waiting = len(pool._executor.clients) - place - 1
            # Never fewer than there are workers, until the round ends.
            assert min(2, len(sizes) - place - 1) <= waiting <= 32
        assert sorted(pool._executor.clients) == [10 * place for place in range(100)]


def test_a_model_for_several_clients_is_written_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(distributed, "ProcessPoolExecutor", Submissions)
    model = {"weight": torch.zeros(2)}
    # Dicts of their own with the same tensors, as a rule returns them, and a tensor that is equal.
    received = [dict(model), dict(model), {"weight": torch.zeros(2)}]
    with WorkerPool(2, federated(SETTINGS), {}, device=torch.device("cpu")) as pool:
        list(pool.train_each(tasks_of([3, 2, 1], received)))
        first, second, third = pool._executor.shared
    assert first == second != third
