"""Clients side by side: the bits of one process, whatever the rule, and no process left over."""

import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from multiprocessing.context import SpawnContext
from pathlib import Path
from typing import Any

import pytest
import torch

from fedssl.aggregators.base import Visit
from fedssl.errors import OutOfMemory
from fedssl.federation import distributed, rounds
from fedssl.federation.distributed import WorkerPool
from fedssl.federation.trainer import ClientTask
from fedssl.files import sha256
from tests.unit.federations import SETTINGS, federated, history, lay_out, run
from tests.unit.killed import lives, still_lives

_barrier: Any  # of a kept worker
_gpus: Any
SHORT = {"federation": SETTINGS["federation"] | {"fraction": 0.75, "rounds": 2, "local_epochs": 1}}  # type: ignore[operator]


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    return lay_out(tmp_path_factory.mktemp("federation"))


class KeptWorkers:
    """Stands in for `ProcessPoolExecutor`: processes that are set up anew instead of replaced.

    A new one imports torch for seconds.
    """

    _pool: ProcessPoolExecutor | None = None
    _gpus: Any

    def __call__(
        self,
        workers: int,
        context: SpawnContext,
        start: Callable[..., None],
        given: tuple[Any, ...],
    ) -> "KeptWorkers":
        *plain, gpus = given
        if self._pool is None:
            self._gpus = context.SimpleQueue()
            shared = (context.Barrier(workers), self._gpus)
            self._pool = ProcessPoolExecutor(workers, context, _keep, shared)
        for _ in range(workers):
            self._gpus.put(gpus.get())
        for started in [self.submit(_set_up, start, plain) for _ in range(workers)]:
            started.result()
        return self

    def submit(self, function: Callable[..., Any], *given: Any) -> "Future[Any]":
        assert self._pool is not None
        return self._pool.submit(function, *given)

    def shutdown(self, **_: object) -> None:
        """Keep the processes."""

    def end(self) -> None:
        if self._pool is not None:
            self._pool.shutdown()


def _keep(barrier: Any, gpus: Any) -> None:
    global _barrier, _gpus
    _barrier, _gpus = barrier, gpus


def _set_up(start: Callable[..., None], given: list[Any]) -> None:
    _barrier.wait(120)  # so that each process gets one of these tasks
    start(*given, _gpus)


@pytest.fixture(scope="module")
def kept_workers() -> Iterator[KeptWorkers]:
    workers = KeptWorkers()
    yield workers
    workers.end()


@pytest.mark.parametrize(
    "aggregator",
    [
        {"name": "fedavg-bb"},
        {"name": "loss"},
        {"name": "fedu", "mu": 0.01},
        {"name": "l-dawa", "warmup_rounds": 1, "scale_buffers": True},
        {"name": "fedadam"},
        {"name": "fedprox", "mu": 0.1},
        {"name": "scaffold-bb"},
    ],
    ids=lambda aggregator: aggregator["name"],
)
def test_clients_side_by_side_train_the_same_bits(
    inputs: dict[str, str],
    tmp_path: Path,
    kept_workers: KeptWorkers,
    monkeypatch: pytest.MonkeyPatch,
    aggregator: dict[str, object],
) -> None:
    monkeypatch.setattr(distributed, "ProcessPoolExecutor", kept_workers)
    changes = {**SHORT, "aggregator": aggregator}
    alone = run(inputs, tmp_path / "alone", **changes)
    together = run(inputs, tmp_path / "together", clients=2, **changes)
    assert sha256(together) == sha256(alone)
    assert history(tmp_path / "together") == history(tmp_path / "alone")
    states = [
        sha256(tmp_path / side / "state" / found.parent.name / found.name)
        for side in ("alone", "together")
        for found in sorted((tmp_path / side / "state").glob("*/round000002.safetensors"))
    ]
    assert len(states) == 2 and len(set(states)) == 1, (
        "what clients and server keep is the same too"
    )


def test_clients_side_by_side_train_the_same_bits_with_two_threads_each(
    inputs: dict[str, str],
    tmp_path: Path,
    kept_workers: KeptWorkers,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(distributed, "ProcessPoolExecutor", kept_workers)
    one_round = {"federation": SHORT["federation"] | {"rounds": 1, "kept_rounds": [0]}}
    before = torch.get_num_threads()
    try:
        alone = run(inputs, tmp_path / "alone", **one_round, threads=2)
        assert torch.get_num_threads() == 2
        together = run(inputs, tmp_path / "together", clients=2, **one_round, threads=2)
    finally:
        torch.set_num_threads(before)
    assert sha256(together) == sha256(alone)


def place_of_worker(folder: Path, workers: int) -> str:
    """Return the GPUs that this process sees, once each of the workers does this."""
    (folder / str(os.getpid())).touch()
    deadline = time.monotonic() + 120
    while len(list(folder.iterdir())) < workers and time.monotonic() < deadline:
        time.sleep(0.02)
    return os.environ["CUDA_VISIBLE_DEVICES"]


def test_workers_are_spread_over_the_gpus_and_each_sees_one(
    inputs: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "2,GPU-b")
    settings, gpu = federated(SETTINGS), torch.device("cuda")
    with WorkerPool(3, settings, inputs, device=gpu) as pool:
        found = [pool._executor.submit(place_of_worker, tmp_path, 3) for _ in range(3)]
        assert sorted(future.result() for future in found) == ["2", "2", "GPU-b"]
    assert os.environ["CUDA_VISIBLE_DEVICES"] == "2,GPU-b"


def test_a_killed_worker_is_a_clear_error(inputs: dict[str, str], tmp_path: Path) -> None:
    federation, server = rounds.set_up(federated(SETTINGS), inputs, device=torch.device("cpu"))
    visit = Visit(server.model, {}, {}, 1.0)
    with WorkerPool(2, federated(SETTINGS), inputs, device=torch.device("cpu")) as pool:
        tasks = [
            ClientTask(1, client, federation.holdings[client], visit, {}) for client in range(4)
        ]
        next(pool.train_each(tasks))
        for worker in list(pool._executor._processes):
            os.kill(worker, signal.SIGKILL)
        with pytest.raises(OutOfMemory, match=r"2 processes .* killed.* memory .* fewer clients"):
            list(pool.train_each(tasks))


def test_workers_end_with_a_parent_that_is_killed(inputs: dict[str, str], tmp_path: Path) -> None:
    script = tmp_path / "parent.py"
    script.write_text(
        textwrap.dedent(f"""
        import time, torch
        from fedssl.federation.distributed import WorkerPool
        from tests.unit.federations import SETTINGS, federated

        if __name__ == "__main__":
            with WorkerPool(2, federated(SETTINGS), {inputs!r}, device=torch.device("cpu")) as pool:
                list(pool._executor.map(time.sleep, [0.1, 0.1]))
                print(*pool._executor._processes, flush=True)
                time.sleep(600)
        """)
    )
    root = Path(__file__).parents[2]
    environment = os.environ | {"PYTHONPATH": f"{root}:{root / 'src'}"}
    with subprocess.Popen(
        [sys.executable, script],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as parent:
        assert parent.stdout is not None
        workers = [int(word) for word in parent.stdout.readline().split()]
        assert len(workers) == 2 and all(lives(worker) for worker in workers)
        parent.kill()
    assert not any(still_lives(worker) for worker in workers)
