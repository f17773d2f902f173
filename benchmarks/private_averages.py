"""Average the updates of a round by Flower's own modules: FedAvg, differential privacy, SecAgg+.

Messages are serialised as Flower sends them, and their bytes are counted. Only the network is
missing.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from flwr.app import Array, ArrayRecord, ConfigRecord, Context, Message, MetricRecord, RecordDict
from flwr.client.mod import secaggplus_mod
from flwr.common import Code, FitIns, FitRes, Status, ndarrays_to_parameters, parameters_to_ndarrays
from flwr.common.serde import message_from_proto, message_to_proto
from flwr.compat.common import recorddict_compat as compat
from flwr.server import LegacyContext
from flwr.server.strategy import FedAvg as LegacyFedAvg
from flwr.server.workflow import SecAggPlusWorkflow
from flwr.serverapp.strategy import DifferentialPrivacyServerSideFixedClipping, FedAvg
from torch import Tensor

from fedssl.federation.trainer import Trained

State = dict[str, Tensor]


@dataclass
class Wire:
    """Carries messages, and counts their bytes."""

    bytes: int = 0

    def carry(self, message: Message) -> Message:
        """Return a message as its receiver reads it."""
        sent = message_to_proto(message)
        self.bytes += sent.ByteSize()
        return message_from_proto(sent)


@dataclass(frozen=True)
class Round:
    """The model that the clients of a round received, and the results of their training."""

    number: int
    received: Mapping[str, Tensor]
    trained: Sequence[Trained]

    @property
    def names(self) -> list[str]:
        """The tensors that are averaged; batch norm's counters of batches are not."""
        return [name for name, tensor in self.received.items() if tensor.is_floating_point()]

    def arrays(self, state: Mapping[str, Tensor]) -> list[np.ndarray]:
        """Return the tensors of a state in the order of `names`."""
        return [state[name].numpy().copy() for name in self.names]

    def record(self, state: Mapping[str, Tensor]) -> ArrayRecord:
        """Return the tensors of a state as messages hold them."""
        arrays = zip(self.names, self.arrays(state), strict=True)
        return ArrayRecord({name: Array(array) for name, array in arrays})

    def state(self, arrays: Sequence[np.ndarray]) -> State:
        """Return arrays in the order of `names` as tensors."""
        tensors = (torch.from_numpy(np.asarray(array, dtype=np.float32)) for array in arrays)
        return dict(zip(self.names, tensors, strict=True))


def by_strategy(
    strategy: FedAvg | DifferentialPrivacyServerSideFixedClipping, own: Round, wire: Wire
) -> State:
    """Return the average of a strategy; with differential privacy, all weights are equal."""
    received = own.record(own.received)
    if private := not isinstance(strategy, FedAvg):
        strategy.current_arrays = received  # as its `configure_train` does
    replies = []
    for client in own.trained:
        content = RecordDict({"arrays": received})
        sent = wire.carry(Message(content, 2, "train", group_id=str(own.number)))
        metrics = MetricRecord({"num-examples": 1 if private else client.update.num_samples})
        content = RecordDict({"arrays": own.record(client.update.state), "metrics": metrics})
        replies.append(wire.carry(Message(content, reply_to=sent)))
    arrays, _ = strategy.aggregate_train(own.number, replies)
    assert arrays is not None
    state = own.state(arrays.to_numpy_ndarrays())
    # A variance that noise made negative would make all features NaN.
    return {n: t.clamp(min=0.0) if n.endswith("running_var") else t for n, t in state.items()}


def by_secaggplus(workflow: SecAggPlusWorkflow, own: Round, wire: Wire) -> State:
    """Return the average by SecAgg+, with keys, shares and masks."""
    clients = dict(enumerate(own.trained, 2))
    contexts = {node: Context(0, node, {}, RecordDict(), {}) for node in clients}

    def exchange(messages: Iterable[Message], **_: Any) -> list[Message]:
        answers = []
        for message in map(wire.carry, messages):
            node = message.metadata.dst_node_id
            fit = Message(_fit_result(own, clients[node]), reply_to=message)
            answer = secaggplus_mod(message, contexts[node], lambda *_, fit=fit: fit)
            answers.append(wire.carry(answer))
        return answers

    received = ndarrays_to_parameters(own.arrays(own.received))
    chosen = [(SimpleNamespace(node_id=node), FitIns(received, {})) for node in clients]
    strategy = SimpleNamespace(
        configure_fit=lambda *_: chosen, aggregate_fit=LegacyFedAvg().aggregate_fit
    )
    manager = SimpleNamespace(num_available=lambda: len(clients))
    context = LegacyContext(Context(0, 0, {}, RecordDict(), {}), None, strategy, manager)
    context.state["config"] = ConfigRecord({"current_round": own.number})
    context.state["parameters"] = compat.parameters_to_arrayrecord(received, True)
    workflow(SimpleNamespace(send_and_receive=exchange), context)
    record = context.state.array_records["parameters"]
    return own.state(parameters_to_ndarrays(compat.arrayrecord_to_parameters(record, True)))


def _fit_result(own: Round, client: Trained) -> RecordDict:
    parameters = ndarrays_to_parameters(own.arrays(client.update.state))
    result = FitRes(Status(Code.OK, ""), parameters, client.update.num_samples, {})
    return compat.fitres_to_recorddict(result, True)
