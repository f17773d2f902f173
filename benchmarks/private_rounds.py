"""The cost of SecAgg+ and of central differential privacy, by Flower's own modules.

    .venv-flower/bin/python -m benchmarks.private_rounds config/demo.yaml CELL

trains a cell of a finished run again in one process: as it is, with SecAgg+ between clients and
server, and with clipping and noise on the server. It prints kNN accuracy, and the bytes of all
messages of a client in a round. SecAgg+ runs in full: the workflow, the clients' mod, keys, shares
and masks. Only the network is missing.
"""

import logging
import random
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from flwr.app import Array, ArrayRecord, ConfigRecord, Context, Message, MetricRecord, RecordDict
from flwr.client.mod import secaggplus_mod
from flwr.common import Code, FitIns, FitRes, Status, ndarrays_to_parameters
from flwr.common import parameters_to_ndarrays as to_ndarrays
from flwr.common.serde import message_from_proto, message_to_proto
from flwr.compat.common import recorddict_compat as compat
from flwr.server import LegacyContext
from flwr.server.strategy import FedAvg as LegacyFedAvg
from flwr.server.workflow import SecAggPlusWorkflow
from flwr.serverapp.strategy import DifferentialPrivacyServerSideFixedClipping, FedAvg
from flwr.supercore.task_identity import TaskIdentity
from torch import Tensor

from fedssl.command.project import open_project
from fedssl.data.banks.bank import open_bank
from fedssl.evaluation.features import extract_features
from fedssl.evaluation.knn import knn_predict
from fedssl.federation.plan import pretrain_inputs, pretrain_settings
from fedssl.federation.rounds import run_round, set_up
from fedssl.federation.settings import FederatedSettings
from fedssl.federation.start import initial_method, training_views
from fedssl.federation.trainer import ClientTask, Trained, Trainer
from fedssl.grid.cell import Cell
from fedssl.typed import typed

State = dict[str, Tensor]
CPU = torch.device("cpu")
RANGES = (8.0, 512.0)  # Flower's default, and one that holds the variances of batch norm
# About the median norm of a client's change in the demo. Batch norm's statistics make most of it.
CLIPPING_NORM = 30.0
NOISE_MULTIPLIERS = (0.0, 0.001, 0.01)
_NEIGHBOURS, _TEMPERATURE = 20, 0.1


class Counted:
    """Carries messages as Flower serialises them, and counts their bytes."""

    def __init__(self) -> None:
        """Start at 0."""
        self.bytes = 0
        self.clients = 0

    def message(self, message: Message) -> Message:
        """Count a message, and return what its receiver reads."""
        sent = message_to_proto(message)
        self.bytes += sent.ByteSize()
        return message_from_proto(sent)


@dataclass
class Round:
    """The model that clients received in a round, and what they trained."""

    received: Mapping[str, Tensor]
    trained: Sequence[Trained]

    @property
    def names(self) -> list[str]:
        """The tensors that are averaged; counters of batches are not."""
        return [name for name, tensor in self.received.items() if tensor.is_floating_point()]

    def arrays(self, state: Mapping[str, Tensor]) -> list[np.ndarray]:
        """Return the tensors of a state in the order of `names`."""
        return [state[name].detach().cpu().numpy().copy() for name in self.names]


Protocol = Callable[[int, Round, Counted], State]


def plainly(number: int, held: Round, counted: Counted) -> State:
    """Return the average by FedAvg, and count the messages that Flower would carry."""
    for client in held.trained:
        ins = FitIns(ndarrays_to_parameters(held.arrays(held.received)), {})
        sent = counted.message(_message(compat.fitins_to_recorddict(ins, True), number))
        counted.message(Message(_fitres(held, client), reply_to=sent))
    weights = np.array([client.update.num_samples for client in held.trained], dtype=float)
    states = [held.arrays(client.update.state) for client in held.trained]
    mean = [np.average(arrays, axis=0, weights=weights) for arrays in zip(*states, strict=True)]
    return _state(held, mean)


def within(clipping_range: float) -> Protocol:
    """Return SecAgg+, which clips weighted values to a range around 0."""
    workflow = SecAggPlusWorkflow(1.0, 0.5, clipping_range=clipping_range)
    return partial(by_secaggplus, workflow)


def by_secaggplus(
    workflow: SecAggPlusWorkflow, number: int, held: Round, counted: Counted
) -> State:
    """Return the average by SecAgg+."""
    nodes = dict(enumerate(held.trained, 2))
    contexts = {node: Context(0, node, {}, RecordDict(), {}) for node in nodes}

    def exchange(messages: Iterable[Message], **_: Any) -> list[Message]:
        answers = []
        for sent in messages:
            message = counted.message(sent)
            node = message.metadata.dst_node_id
            fit = Message(_fitres(held, nodes[node]), reply_to=message)
            answer = secaggplus_mod(message, contexts[node], lambda *_, fit=fit: fit)
            answers.append(counted.message(answer))
        return answers

    instruction = FitIns(ndarrays_to_parameters(held.arrays(held.received)), {})
    proxies = [(SimpleNamespace(node_id=node), instruction) for node in nodes]
    strategy = LegacyFedAvg()
    strategy.configure_fit = lambda *_: proxies  # type: ignore[method-assign, assignment, return-value]
    manager = SimpleNamespace(num_available=lambda: len(nodes))
    context = LegacyContext(Context(0, 0, {}, RecordDict(), {}), None, strategy, manager)  # type: ignore[arg-type]
    context.state["config"] = ConfigRecord({"current_round": number})
    start = ndarrays_to_parameters(held.arrays(held.received))
    context.state["parameters"] = compat.parameters_to_arrayrecord(start, True)
    workflow(SimpleNamespace(send_and_receive=exchange), context)  # type: ignore[arg-type]
    record = context.state.array_records["parameters"]
    return _state(held, to_ndarrays(compat.arrayrecord_to_parameters(record, True)))


def with_noise(multiplier: float) -> Protocol:
    """Return central differential privacy: equal weights, clipping and noise on the server."""

    def average(number: int, held: Round, counted: Counted) -> State:
        strategy = DifferentialPrivacyServerSideFixedClipping(
            FedAvg(), multiplier, CLIPPING_NORM, len(held.trained)
        )
        strategy.current_arrays = _record(held, held.received)
        replies = []
        for client in held.trained:
            content = {"arrays": strategy.current_arrays}
            sent = counted.message(_message(RecordDict(dict(content)), number))
            metrics = MetricRecord({"num-examples": 1})  # equal weights
            own = {"arrays": _record(held, client.update.state), "metrics": metrics}
            replies.append(counted.message(Message(RecordDict(own), reply_to=sent)))
        arrays, _ = strategy.aggregate_train(number, replies)
        assert arrays is not None
        state = _state(held, arrays.to_numpy_ndarrays())
        # A variance that noise made negative would make all features NaN.
        return {n: t.clamp(min=0.0) if n.endswith("running_var") else t for n, t in state.items()}

    return average


def _message(content: RecordDict, number: int) -> Message:
    return Message(content, 2, "train", group_id=str(number))


def _fitres(held: Round, client: Trained) -> RecordDict:
    parameters = ndarrays_to_parameters(held.arrays(client.update.state))
    result = FitRes(Status(Code.OK, ""), parameters, client.update.num_samples, {})
    return compat.fitres_to_recorddict(result, True)


def _record(held: Round, state: Mapping[str, Tensor]) -> ArrayRecord:
    arrays = zip(held.names, held.arrays(state), strict=True)
    return ArrayRecord({name: Array(np.asarray(array)) for name, array in arrays})


def _state(held: Round, arrays: Sequence[np.ndarray]) -> State:
    tensors = (torch.from_numpy(np.asarray(array, dtype=np.float32)) for array in arrays)
    return dict(zip(held.names, tensors, strict=True))


@dataclass
class PrivateTrainer:
    """Trains the clients of a round, and hands the server what it sees: one average for all."""

    trainer: Trainer
    protocol: Protocol
    counted: Counted

    def train_each(self, tasks: Iterable[ClientTask]) -> Iterator[Trained | None]:
        """Yield each client's result with the average as its state."""
        tasks = list(tasks)
        trained = [_copied(each) for each in self.trainer.train_each(tasks) if each]
        held = Round(tasks[0].visit.received, trained)
        average = self.protocol(tasks[0].round, held, self.counted)
        self.counted.clients += len(trained)
        for each in trained:
            state = each.update.state | average
            yield each._replace(update=replace(each.update, state=state))


def _copied(each: Trained) -> Trained:
    state = {name: tensor.detach().clone() for name, tensor in each.update.state.items()}
    return each._replace(update=replace(each.update, state=state))


def train(
    settings: FederatedSettings, inputs: Mapping[str, str], protocol: Protocol
) -> tuple[float, float]:
    """Return kNN accuracy in percent, and the bytes of a client's messages in a round."""
    counted = Counted()
    federation, server = set_up(settings, inputs, device=CPU)
    federation = replace(federation, trainer=PrivateTrainer(federation.trainer, protocol, counted))
    for number in range(1, settings.federation.rounds + 1):
        server, _ = run_round(federation, server, number)
    return accuracy(settings, inputs, server.model), counted.bytes / max(counted.clients, 1)


def accuracy(
    settings: FederatedSettings, inputs: Mapping[str, str], model: Mapping[str, Tensor]
) -> float:
    """Return the kNN accuracy in percent of a model on the test split of its own dataset."""
    method = initial_method(settings)
    method.load_state_dict({**method.state_dict(), **model})
    views = training_views(settings, inputs, device=CPU)["image"]
    bank = open_bank(Path(inputs["image_bank"]).parent)
    held_out = "test" if "test" in set(bank.splits) else "validation"
    parts = {split: bank.indices(split) for split in ("train", held_out)}
    features = {
        split: extract_features(method.backbone, views, indices, device=CPU)
        for split, indices in parts.items()
    }
    labels = torch.from_numpy(np.asarray(bank.labels))
    found = knn_predict(
        features[held_out],
        features["train"],
        bank_labels=labels[parts["train"]],
        num_classes=len(bank.classes),
        k=_NEIGHBOURS,
        temperature=_TEMPERATURE,
    )
    return 100.0 * float((found == labels[parts[held_out]]).double().mean())


def main(configfile: str, path: str) -> None:
    """Print a row for each protocol."""
    logging.getLogger("flwr").setLevel(logging.ERROR)
    # Messages name the task that sends them; Flower sets it in a ServerApp's process.
    TaskIdentity.task_id = TaskIdentity.run_id = TaskIdentity.node_id = 1
    project = open_project([configfile])
    wildcards = SimpleNamespace(**vars(Cell.parse(path)))
    settings = typed(FederatedSettings, pretrain_settings(project.plan, wildcards))
    inputs = pretrain_inputs(project.plan, wildcards)
    torch.set_num_threads(1)
    print(f"random start: {accuracy(settings, inputs, {}):.1f} %")
    protocols: dict[str, Protocol] = {"plain": plainly}
    protocols |= {f"SecAgg+, values within {most}": within(most) for most in RANGES}
    protocols |= {
        f"changes clipped to {CLIPPING_NORM}, noise multiplier {z}": with_noise(z)
        for z in NOISE_MULTIPLIERS
    }
    for name, protocol in protocols.items():
        np.random.seed(0)
        random.seed(0)
        percent, size = train(settings, inputs, protocol)
        print(f"{name}: {percent:.1f} %, {size:,.0f} bytes for a client in a round", flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
