"""The ClientApp: trains one client of a node on the samples and the memory of that node."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from flwr.app import ConfigRecord, Context, Message, MetricRecord, RecordDict
from flwr.clientapp import ClientApp

from fedssl.aggregators import build
from fedssl.aggregators.accumulator import update_fault
from fedssl.aggregators.base import Visit
from fedssl.data.banks.bank import open_bank
from fedssl.data.sharding import read_shards
from fedssl.device import prepare_device
from fedssl.federation.client import LocalTrainer, local_trainer
from fedssl.federation.memory import ClientMemory, build_memory
from fedssl.federation.participants import client_holdings
from fedssl.federation.settings import FederatedSettings
from fedssl.federation.trainer import ClientTask, Trained
from fedssl.files import read_json
from fedssl.flower.node_memory import recall, remember
from fedssl.flower.records import to_record, to_state
from fedssl.grid.splits import MODALITIES
from fedssl.typed import typed


@dataclass(frozen=True)
class Node:
    """One SuperNode.

    Attributes:
        clients: the clients whose samples it has.
        inputs: its banks, shards and statistics, as for `fedssl.federation.rounds.pretrain`.
        memory: folder of what its clients keep.
    """

    clients: list[int]
    inputs: Mapping[str, str]
    memory: str


@dataclass(frozen=True)
class _Worker:
    trainer: LocalTrainer
    holdings: list[dict[str, np.ndarray]]
    settings: FederatedSettings
    device: torch.device

    def memory(self) -> ClientMemory:
        method = self.trainer.method
        return build_memory(self.settings, sent=method.sent, kept=method.kept)


def client_app(node: Callable[[Context], Node]) -> ClientApp:
    """Return the app of a node."""
    app = ClientApp()
    app.query()(partial(_say_clients, node))
    app.train()(partial(_train, node))
    return app


def configured(context: Context) -> Node:
    """Return a SuperNode from its `--node-config`: clients="0 2" inputs="<file>" memory="<folder>".

    The file `inputs` is JSON.
    """
    own = context.node_config
    clients = [int(client) for client in str(own["clients"]).split()]
    return Node(clients, read_json(str(own["inputs"])), str(own["memory"]))


def _say_clients(node: Callable[[Context], Node], message: Message, context: Context) -> Message:
    content = {"node": ConfigRecord({"clients": node(context).clients})}
    return Message(RecordDict(content), reply_to=message)


def _train(node: Callable[[Context], Node], message: Message, context: Context) -> Message:
    own, task = node(context), message.content["task"]
    worker = _worker(task["settings"], json.dumps(dict(own.inputs), sort_keys=True))
    client, round_number = task["client"], task["round"]
    folder = Path(own.memory) / task["cell"] / str(client)
    memory = worker.memory()
    memory.load(_on(recall(folder, task["memory"]), worker.device))
    trained = worker.trainer.train(_task(worker, memory, message))
    fault = trained.fault or update_fault(trained.update)
    if not fault:
        memory.keep(client, trained.update.state, trained.notes)
    if kept := memory.state():
        remember(folder, kept, round_number=round_number, after=task["memory"])
    sent = memory.travelling(trained.update.state)
    return Message(_answer(trained, sent, fault, kept=bool(kept)), reply_to=message)


def _task(worker: _Worker, memory: ClientMemory, message: Message) -> ClientTask:
    """Return the task of a message, with the samples and the memory of this node."""
    content, task = message.content, message.content["task"]
    client, round_number = task["client"], task["round"]
    model, broadcast = (
        to_state(content[name], device=worker.device) for name in ("model", "broadcast")
    )
    rule = build(**worker.settings.aggregator).in_round(round_number)
    notes = memory.notes(client)
    received = memory.travelling(rule.start(model, notes))
    visit = Visit(received, broadcast, notes, task["share"])
    return ClientTask(round_number, client, worker.holdings[client], visit, memory.local(client))


def _answer(trained: Trained, sent: Mapping[str, Any], fault: str | None, *, kept: bool) -> Any:
    """Return everything that leaves the node after a training."""
    update = trained.update
    client = {"rows": json.dumps(trained.rows), "fault": fault or "", "kept": kept}
    return RecordDict(
        {
            "model": to_record(sent),
            "report": to_record(update.report),
            "metrics": MetricRecord({"num-examples": update.num_samples, "loss": update.loss}),
            "client": ConfigRecord(client),
        }
    )


@cache
def _worker(settings: str, inputs: str) -> _Worker:
    """Return the model and the views of a cell; a process that trains again reuses them."""
    own, files = typed(FederatedSettings, json.loads(settings)), json.loads(inputs)
    device = prepare_device(own.threads, precision=own.precision, portable=own.portable)
    parts = {
        modality: read_shards(files[f"{modality}_shards"], open_bank(Path(bank).parent))
        for modality in MODALITIES
        if (bank := files.get(f"{modality}_bank"))
    }
    trainer = local_trainer(own, files, device=device)
    return _Worker(trainer, client_holdings(own, parts), own, device)


def _on(state: Mapping[str, torch.Tensor], device: torch.device) -> dict[str, torch.Tensor]:
    return {name: tensor.to(device) for name, tensor in state.items()}


# For a deployment; see `app/pyproject.toml`.
app = client_app(configured)
