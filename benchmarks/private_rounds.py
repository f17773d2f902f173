"""What SecAgg+ and central differential privacy cost, measured with Flower's own modules.

    .venv-flower/bin/python -m benchmarks.private_rounds config/mini.yaml CELL

trains a cell of a finished run again, in one process and with FedAvg as its aggregator: by our own
rounds, by Flower's FedAvg, with SecAgg+, and with clipping and noise on the server.

Each line has the kNN accuracy on the cell's own dataset, its difference from Flower's FedAvg in
points with a 95 % interval (paired bootstrap over the scored samples), and the bytes of all
messages of a client in a round, in both directions. Our own rounds differ from Flower's FedAvg in
rounding only, so their line shows how large a difference is by chance.
"""

import logging
import random
import statistics
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import partial

import numpy as np
import torch
from benchmarks.private_averages import Round, State, Wire, by_secaggplus, by_strategy
from flwr.server.workflow import SecAggPlusWorkflow
from flwr.serverapp.strategy import DifferentialPrivacyServerSideFixedClipping, FedAvg
from flwr.supercore.task_identity import TaskIdentity
from torch import Tensor

from fedssl.command.project import open_project
from fedssl.evaluation.features import task_features
from fedssl.evaluation.protocols import Score, knn_score
from fedssl.evaluation.settings import Knn
from fedssl.evaluation.statistics import paired_bootstrap
from fedssl.federation.one_round import run_round
from fedssl.federation.participants import clients_per_round
from fedssl.federation.plan import pretrain_inputs, pretrain_settings
from fedssl.federation.rounds import set_up
from fedssl.federation.settings import FederatedSettings
from fedssl.federation.start import initial_method, training_views
from fedssl.federation.trainer import ClientTask, Trained, Trainer
from fedssl.grid.cell import Cell
from fedssl.typed import typed

Average = Callable[[Round, Wire], State]
CPU = torch.device("cpu")
RANGES = (8.0, 512.0)  # Flower's default, and one that holds the variances of batch norm
NOISE_MULTIPLIERS = (0.0, 0.01, 1.0)


@dataclass
class AveragingTrainer:
    """Trains the clients of a round, and gives the server their average as the update of each.

    Attributes:
        norms: the L2 norm of each change of a client.
    """

    trainer: Trainer
    average: Average
    wire: Wire = field(default_factory=Wire)
    norms: list[float] = field(default_factory=list)

    def train_each(self, tasks: Iterable[ClientTask]) -> Iterator[Trained]:
        """Yield each client's result with the average as its state."""
        tasks = list(tasks)
        own = Round(tasks[0].round, tasks[0].visit.received, self._trained(tasks))
        average = self.average(own, self.wire)
        for each in own.trained:
            changes = [each.update.state[name] - own.received[name] for name in own.names]
            self.norms.append(float(torch.cat([change.flatten() for change in changes]).norm()))
            state = each.update.state | average
            yield each._replace(update=replace(each.update, state=state))

    def _trained(self, tasks: Iterable[ClientTask]) -> list[Trained]:
        trained = []
        for each in filter(None, self.trainer.train_each(tasks)):
            # A copy, because all clients train on one model.
            state = {name: tensor.clone() for name, tensor in each.update.state.items()}
            trained.append(each._replace(update=replace(each.update, state=state)))
        return trained


def by_round_loop(_own: Round, _wire: Wire) -> State:
    """Return no tensor, so that every update stays and the round loop averages them."""
    return {}


def train(
    settings: FederatedSettings, inputs: Mapping[str, str], average: Average
) -> tuple[Mapping[str, Tensor], AveragingTrainer]:
    """Return the model after all rounds, and the trainer with its counts."""
    np.random.seed(0)  # Flower draws noise and the order of clients from these two
    random.seed(0)
    federation, server = set_up(settings, inputs, device=CPU)
    trainer = AveragingTrainer(federation.trainer, average)
    federation = replace(federation, trainer=trainer)
    for number in range(1, settings.federation.rounds + 1):
        server, _ = run_round(federation, server, number)
    return server.model, trainer


def score(
    settings: FederatedSettings,
    inputs: Mapping[str, str],
    model: Mapping[str, Tensor],
    knn: Knn,
) -> Score:
    """Return the kNN score of a model on the dataset that it was trained on."""
    method = initial_method(settings)
    method.load_state_dict({**method.state_dict(), **model})
    (views,) = training_views(settings, inputs, device=CPU).values()
    split = "test" if "test" in views.bank.splits else "validation"
    features = task_features(method.backbone, views, split, recalibrate=False, device=CPU)
    return knn_score(features, knn)


def private_averages(norm: float, *, clients: int) -> Iterator[tuple[str, Average]]:
    """Yield the name and the average of each protection; changes are clipped to `norm`."""
    for limit in RANGES:
        workflow = SecAggPlusWorkflow(1.0, 0.5, clipping_range=limit)
        yield f"SecAgg+, values within {limit:g}", partial(by_secaggplus, workflow)
    for multiplier in NOISE_MULTIPLIERS:
        strategy = DifferentialPrivacyServerSideFixedClipping(FedAvg(), multiplier, norm, clients)
        name = f"clipped to {norm:.3g}, noise multiplier {multiplier:g}"
        yield name, partial(by_strategy, strategy)


def main(configfile: str, path: str) -> None:
    """Print a line for each kind of rounds."""
    logging.getLogger("flwr").setLevel(logging.ERROR)
    # Messages name the task that sends them; Flower sets it in a ServerApp's process.
    TaskIdentity.task_id = TaskIdentity.run_id = TaskIdentity.node_id = 1
    torch.set_num_threads(1)
    project, cell = open_project([configfile]), Cell.parse(path)
    declared = typed(FederatedSettings, pretrain_settings(project.plan, cell))
    settings = replace(declared, aggregator={"name": "fedavg"})
    inputs = pretrain_inputs(project.plan, cell)
    scored = partial(score, settings, inputs, knn=typed(Knn, project.grid.evaluation["knn"]))
    clients = clients_per_round(settings)
    messages = clients * settings.federation.rounds

    model, trainer = train(settings, inputs, partial(by_strategy, FedAvg()))
    plain, norm = scored(model), statistics.median(trainer.norms)
    print(f"{clients} clients per round, median norm of a change {norm:.3g}")
    print(f"{'Flower FedAvg':40} {plain.value:5.1f} %{trainer.wire.bytes / messages:37,.0f} bytes")

    def show(name: str, found: Score, wire: Wire) -> None:
        correct = [plain.correct], [found.correct]
        gain, low, high = paired_bootstrap(*correct, resamples=10_000, seed=0)
        cost = f"{gain:+5.1f} ({low:+.1f} to {high:+.1f})"
        print(f"{name:40} {found.value:5.1f} % {cost:22} {wire.bytes / messages:13,.0f} bytes")

    show("random start", scored({}), Wire())
    protections = private_averages(norm, clients=clients)
    for name, average in [("our own rounds", by_round_loop), *protections]:
        model, trainer = train(settings, inputs, average)
        show(name, scored(model), trainer.wire)


if __name__ == "__main__":
    main(*sys.argv[1:])
