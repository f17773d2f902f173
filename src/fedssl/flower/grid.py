"""The server's side: a round's tasks as messages over Flower's grid, and the answers in order."""

import contextlib
import json
import logging
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from threading import Event
from typing import Any

import torch
from flwr.app import ConfigRecord, Message, RecordDict
from flwr.serverapp import Grid
from torch import tensor

from fedssl.aggregators import ClientUpdate
from fedssl.errors import UserError
from fedssl.federation.one_round import Federation
from fedssl.federation.trainer import ClientTask, Trained
from fedssl.flower.node_memory import RemoteMemory
from fedssl.flower.records import to_record, to_state

_PAUSE_S = 0.05
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Run:
    """One run of a cell on a grid.

    Attributes:
        settings: the cell's settings, as JSON.
        cell: names the folder of a client's memory; it depends on settings and code.
        all_must_answer: whether a client that does not answer ends the run. In a simulation, no
            node can be lost, so only an error of ours is left.
        ended: set when no more answers can come.
    """

    grid: Grid
    settings: str
    cell: str
    all_must_answer: bool
    ended: Event = field(default_factory=Event)


class GridTrainer:
    """Trains clients as a `LocalTrainer` does, each on the node that has its samples."""

    def __init__(self, run: Run, memory: RemoteMemory, device: torch.device) -> None:
        """Start with no node known."""
        self._run = run
        self._memory = memory
        self._device = device
        self._clients: dict[int, list[int]] = {}  # of each node

    def wait_for(self, clients: Iterable[int]) -> None:
        """Wait until a node has each of the clients."""
        while missing := set(clients) - self._nodes().keys():
            _log.info("waiting for nodes with %d more clients", len(missing))
            self._pause(1.0)

    def train_each(self, tasks: Iterable[ClientTask]) -> Iterator[Trained | None]:
        """Yield the result of each task, in order; None if the client's node did not answer.

        All answers of a round can be in memory at once, because nodes answer in any order.
        """
        tasks, nodes = list(tasks), self._nodes()
        # The longest first, so that nodes with several clients end together.
        longest = sorted(tasks, key=lambda task: task.num_samples, reverse=True)
        waiting = self._push({t.client: self._message(t, nodes) for t in longest})
        answers: dict[int, Message] = {}
        for task in tasks:
            while task.client in waiting.values():
                answers |= self._pull(waiting)
            yield self._trained(task, answers.pop(task.client, None))

    def _nodes(self) -> dict[int, int]:
        """Return the node of each client; a node that is new is asked, and one that left is not.

        A SuperNode that was started anew is a new node, and has its clients from then on.
        """
        present = list(self._run.grid.get_node_ids())
        self._clients = {node: self._clients[node] for node in self._clients if node in present}
        new = [node for node in present if node not in self._clients]
        waiting = self._push({n: Message(RecordDict(), n, "query") for n in new})
        while waiting:
            for node, answer in self._pull(waiting).items():
                if not answer.has_error():
                    self._clients[node] = list(answer.content["node"]["clients"])
        return {client: node for node, own in self._clients.items() for client in own}

    def _message(self, task: ClientTask, nodes: dict[int, int]) -> Message | None:
        if (node := nodes.get(task.client)) is None:
            return None
        config = {
            "round": task.round,
            "client": task.client,
            "memory": self._memory.round_of(task.client),
            "share": task.visit.share,
            "settings": self._run.settings,
            "cell": self._run.cell,
        }
        content = {
            "task": ConfigRecord(config),
            "model": to_record(task.visit.received),
            "broadcast": to_record(task.visit.broadcast),
        }
        return Message(RecordDict(content), node, "train", group_id=str(task.round))

    def _push(self, messages: dict[int, Message | None]) -> dict[str, int]:
        """Send the messages; return the receiver of each that was sent, by the message's id."""
        sent: dict[str, int] = {}
        for receiver, message in messages.items():
            if message is not None:
                sent |= dict.fromkeys(self._run.grid.push_messages([message]), receiver)
        return sent

    def _pull(self, waiting: dict[str, int]) -> dict[int, Message]:
        """Return the answers that have come, by receiver, and take them out of `waiting`."""
        answers = {
            waiting.pop(answer.metadata.reply_to_message_id): answer
            for answer in self._run.grid.pull_messages(list(waiting))
        }
        if not answers:
            self._pause(_PAUSE_S)
        return answers

    def _pause(self, seconds: float) -> None:
        if self._run.ended.wait(seconds):
            raise UserError("Flower stopped before all clients had answered")

    def _trained(self, task: ClientTask, answer: Message | None) -> Trained | None:
        if answer is None or answer.has_error():
            reason = "no node has its samples" if answer is None else answer.error.reason
            if self._run.all_must_answer:
                raise UserError(f"client {task.client} failed in round {task.round}: {reason}")
            _log.warning("round %d: client %d is lost: %s", task.round, task.client, reason)
            return None
        return _read(task, answer.content, device=self._device)


def _read(task: ClientTask, content: RecordDict, *, device: torch.device) -> Trained:
    """Return the result that a node sent."""
    metrics, client = content["metrics"], content["client"]
    fault: str | None = client["fault"] or None
    loss = math.nan if fault else float(metrics["loss"])
    state = to_state(content["model"], device=device)
    report = to_state(content["report"], device=device)
    notes = {"round": tensor(task.round)} if client["kept"] else {}
    rows: list[dict[str, Any]] = json.loads(client["rows"])
    return Trained(
        ClientUpdate(state, int(metrics["num-examples"]), loss, report), notes, rows, fault
    )


@contextlib.contextmanager
def on_grid(
    federation: Federation, _workers: int, _inputs: object, *, device: torch.device, run: Run
) -> Iterator[Federation]:
    """Yield the federation with clients that train on a grid and keep their memory there."""
    memory = RemoteMemory(federation.memory)
    trainer = GridTrainer(run, memory, device)
    trainer.wait_for(client for client, held in enumerate(federation.holdings) if held)
    yield replace(federation, trainer=trainer, memory=memory)
