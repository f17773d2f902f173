"""The work of a federated round that our rounds and those of other systems share.

Every system trains the same encoder on the same samples, with our views, our loss and torch's SGD.
They differ in what they do around the steps: how they give a client the model, and how they
average. Each runs in a process of its own and trains a round when `benchmarks/bench.py` tells it.
"""

import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml

from fedssl import backbones
from fedssl.data.banks.bank import open_bank
from fedssl.data.banks.build import build_bank
from fedssl.data.made_up.archives import write_archives
from fedssl.data.sharding import write_shards
from fedssl.federation.settings import FederatedSettings
from fedssl.federation.start import initial_method, training_views
from fedssl.methods.base import Method
from fedssl.typed import typed

# The package finds an architecture by the name of its module, so ours must lie on its path. The
# processes that train clients in parallel import this module too.
backbones.__path__.append(str(Path(__file__).parent / "backbones"))

ROOT = Path(__file__).parents[2]
CPU = torch.device("cpu")


@dataclass(frozen=True)
class Work:
    """A federation: `cohort` of `clients` train in a round, each one epoch on `samples` images."""

    arch: str
    size: int
    clients: int
    cohort: int
    workers: int = 1
    samples: int = 128
    batch: int = 64

    def holdings(self) -> list[np.ndarray]:
        """Return the positions in the bank of each client's images."""
        return list(np.arange(self.clients * self.samples).reshape(self.clients, -1))

    def cohorts(self) -> Iterator[list[int]]:
        """Yield the clients of each round."""
        rng = np.random.default_rng(0)
        while True:
            yield sorted(rng.choice(self.clients, self.cohort, replace=False).tolist())

    def settings(self) -> FederatedSettings:
        """Return the shipped settings with the sizes of this work."""
        settings = yaml.safe_load((ROOT / "config/experiments.yaml").read_text())["settings"]
        settings |= {
            "aggregator": {"name": "fedavg"},
            "encoder": {"arch": self.arch, "embedding_dim": 128},
            "method": {"name": "simclr", "temperature": 0.5},
            "portable": False,
            "precision": "fp32",
            "seed": 0,
            "split": "a0-i100-b0",
            "threads": 1,
        }
        settings["image"] |= {"size": self.size}
        settings["federation"] |= {"clients": self.clients, "fraction": self.cohort / self.clients}
        settings["federation"] |= {"local_epochs": 1, "batch_size": self.batch}
        return typed(FederatedSettings, settings)


def prepare(folder: Path, work: Work) -> None:
    """Write the bank and the shards of a work, and the work itself."""
    splits = {"train": work.clients * work.samples, "test": 10}
    archives = {"batches": folder / "batches"}
    write_archives("cifar10", archives, classes=10, splits=splits, seed=0)
    entry = {"classes": 10, "splits": splits, "max_bad_share": 0.0}
    build_bank("cifar10", archives, folder / "bank", entry=entry)
    sharding = {"alpha": 1e6, "clients": work.clients, "min_samples": 2}
    shards = folder / "shards.json"
    write_shards(open_bank(folder / "bank"), shards, sharding=sharding, seed=0)
    (folder / "work.json").write_text(json.dumps(asdict(work)))


def read(folder: Path) -> tuple[Work, dict[str, str]]:
    """Return a prepared work, and the files that a federation of ours reads."""
    work = Work(**json.loads((folder / "work.json").read_text()))
    shards, bank = folder / "shards.json", folder / "bank" / "bank.json"
    return work, {"image_bank": str(bank), "image_shards": str(shards)}


@cache
def trainer(folder: Path) -> tuple[Method, Callable[[np.ndarray], None]]:
    """Return the method of a prepared work, and a function that trains it for one epoch.

    Kept for the life of the process: other systems need not make a model for each client.
    """
    torch.set_num_threads(1)
    work, inputs = read(folder)
    settings = work.settings()
    method = initial_method(settings).train()
    method.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    views = training_views(settings, inputs, device=CPU)["image"]
    rng = np.random.default_rng(0)

    def train(positions: np.ndarray) -> None:
        optimiser = sgd(method.parameters(), settings.optimiser.lr)
        order = rng.permutation(positions)
        for start in range(0, len(order), work.batch):
            batch = method.views(views, order[start : start + work.batch], rng)
            optimiser.zero_grad(set_to_none=True)
            method.training_step(batch).backward()
            optimiser.step()

    return method, train


def sgd(parameters: Any, lr: float) -> torch.optim.SGD:
    """Return the optimiser of a client, with the shipped settings."""
    return torch.optim.SGD(parameters, lr, momentum=0.9, weight_decay=1e-4, fused=True)


def folder_of_work() -> Path:
    """Return the folder of the prepared work that this process was started for."""
    return Path(sys.argv[1])


class Turns:
    """The conversation with the benchmark: wait for a turn, then say what it took."""

    def __init__(self) -> None:
        """Keep standard output for answers; whatever else prints goes to standard error."""
        self._answers = os.fdopen(os.dup(1), "w")
        os.dup2(2, 1)

    def wait(self) -> bool:
        """Wait for the next turn; return whether there is one."""
        turn = bool(sys.stdin.readline().strip())
        self._started = time.perf_counter(), time.process_time()
        return turn

    def done(self, **facts: float) -> None:
        """Answer with the seconds since the turn began, by the clock and of this process's CPU."""
        wall, cpu = self._started
        facts |= {"wall": time.perf_counter() - wall, "cpu": time.process_time() - cpu}
        print(json.dumps(facts), file=self._answers, flush=True)

    def take(self, run_round: Callable[[], dict[str, float]]) -> None:
        """Run a round in each turn, and answer with the facts that it returns too."""
        while self.wait():
            self.done(**run_round())
