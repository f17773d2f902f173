"""Rounds of pfl-research: FedAvg in its simulation, in one process.

It averages parameters only. Batch norm's statistics pass from client to client.
"""

import itertools
from typing import Any

import numpy as np
import torch
from benchmarks.peers.federation import (
    CPU,
    Turns,
    folder_of_work,
    read,
    sgd,
    trainer,
)
from pfl.aggregate.simulate import SimulatedBackend
from pfl.aggregate.weighting import WeightByDatapoints
from pfl.algorithm.base import NNAlgorithmParams
from pfl.algorithm.federated_averaging import FederatedAveraging
from pfl.callback.base import TrainingProcessCallback
from pfl.data.dataset import Dataset
from pfl.data.federated_dataset import FederatedDataset
from pfl.hyperparam.base import NNEvalHyperParams, NNTrainHyperParams
from pfl.metrics import Metrics, Weighted
from pfl.model.pytorch import PyTorchModel

from fedssl.federation.start import training_views

FOREVER = 10**6


class Model(torch.nn.Module):
    """Our method as a model of pfl: its batches are positions in the bank."""

    def __init__(self) -> None:
        """Take the method and the views of the work."""
        super().__init__()
        work, inputs = read(folder_of_work())
        self.method, _ = trainer(folder_of_work())
        self._views = training_views(work.settings(), inputs, device=CPU)["image"]
        self._rng = np.random.default_rng(0)

    def loss(self, positions: torch.Tensor) -> torch.Tensor:
        """Return the loss of a batch."""
        batch = self.method.views(self._views, positions.long().numpy(), self._rng)
        loss: torch.Tensor = self.method.training_step(batch)
        return loss

    def metrics(self, positions: torch.Tensor) -> dict[str, Any]:
        """Return a metric that costs nothing; pfl asks for one in its first round."""
        return {"samples": Weighted(len(positions), 1)}


class TakeTurns(TrainingProcessCallback):  # type: ignore[misc]
    """Ends one turn after each round and waits for the next."""

    def __init__(self, turns: Turns) -> None:
        """Wait for the first turn."""
        self._turns = turns
        turns.wait()

    def after_central_iteration(self, *_given: Any, **_named: Any) -> tuple[bool, Metrics]:
        """Answer, wait, and return whether to stop."""
        self._turns.done()
        return not self._turns.wait(), Metrics()


def main() -> None:
    """Train until there are no more turns."""
    turns = Turns()
    work, _ = read(folder_of_work())
    held = work.holdings()
    users = itertools.chain.from_iterable(work.cohorts())
    data = FederatedDataset(lambda user: Dataset([held[user]]), lambda: next(users))
    model = Model()
    central = torch.optim.SGD(model.parameters(), 1.0)
    lr = work.settings().optimiser.lr
    FederatedAveraging().run(
        NNAlgorithmParams(FOREVER, FOREVER, work.cohort, None),
        SimulatedBackend(data, data, [WeightByDatapoints()]),
        PyTorchModel(model, sgd, central),
        NNTrainHyperParams(work.batch, 1, lr),
        NNEvalHyperParams(None),
        [TakeTurns(turns)],
        send_metrics_to_platform=False,
    )


if __name__ == "__main__":
    main()
