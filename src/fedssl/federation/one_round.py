"""One federated round: clients train on the server's model, and their updates become the next one.

A round is a pure function of the server's state, the clients' memory and the settings.
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter

import numpy as np

from fedssl.aggregators import ClientUpdate
from fedssl.aggregators.base import Aggregator, Visit
from fedssl.aggregators.cohort import collector
from fedssl.federation.faults import fates_of
from fedssl.federation.history import Row, num_updates
from fedssl.federation.memory import ClientMemory
from fedssl.federation.participants import sample_clients
from fedssl.federation.server import Server, num_bytes
from fedssl.federation.settings import FederatedSettings
from fedssl.federation.trainer import ClientTask, Trainer
from fedssl.federation.uploads import attacked, clipped
from fedssl.randomness import stream

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Federation:
    """The parts that stay the same over all rounds, and the clients' memory between them.

    Attributes:
        suspects: the settings to name if training diverges.
    """

    trainer: Trainer
    aggregator: Aggregator
    memory: ClientMemory
    holdings: Sequence[Mapping[str, np.ndarray]]
    settings: FederatedSettings
    suspects: str


def run_round(
    federation: Federation, server: Server, round_number: int
) -> tuple[Server, list[Row]]:
    """Return the server after one round, and its history: one row per client and modality.

    Without a usable update, the server keeps its model and its state.
    """
    memory, rule = federation.memory, federation.aggregator.in_round(round_number)
    # Of what is sent only: a server never sees the heads that stay with clients.
    collected = collector(rule, memory.travelling(server.model))
    # All tasks before any training: clients in parallel must not see each other's results.
    tasks, fates = _tasks(federation, rule, server, round_number=round_number)
    present = [task for task in tasks if not fates[task.client].get("absent")]
    rows = [row for task in tasks for row in _absent_rows(task, fates[task.client])]
    # Who returns no update has received the model as well.
    down = sum(num_bytes(task.visit.received, task.visit.broadcast) for task in tasks)
    up = 0
    for task, trained in zip(present, federation.trainer.train_each(present), strict=True):
        fate = fates[task.client]
        if trained is None:
            rows += _absent_rows(task, {**fate, "absent": "dropout"})
            continue
        update, notes, client_rows, fault = trained
        upload, columns = _upload(federation, server, task, update, fate=fate)
        if dropped := collected.add(upload):
            # The client keeps its earlier state, or it would start from NaN in its next round.
            dropped = fault or dropped
            _log.warning("round %d: client %d dropped: %s", round_number, task.client, dropped)
        else:
            memory.keep(task.client, update.state, notes)
            up += num_bytes(memory.travelling(update.state), update.report)
        rows += [{**row, "dropped": dropped, **columns} for row in client_rows]
    if not num_updates(rows):
        _log.warning("round %d: no selected client returned; the model stays", round_number)
    model, state = collected.step(server.state)
    after = server.after({**server.model, **model}, state, down=down, up=up)
    return after, sorted(rows, key=itemgetter("client"))


def _tasks(
    federation: Federation, rule: Aggregator, server: Server, *, round_number: int
) -> tuple[list[ClientTask], dict[int, Row]]:
    """Return the tasks of the round's clients, in the clients' order, and their faults."""
    memory, holdings, settings = federation.memory, federation.holdings, federation.settings
    chosen = sample_clients(holdings, settings, round_number=round_number)
    fates = fates_of(holdings, chosen, settings, round_number=round_number)
    broadcast = memory.travelling(rule.broadcast(server.state))
    # Of clients that return: SCAFFOLD's c then stays the mean of all c_i.
    returning = sum(not fates[client].get("absent") for client in chosen)
    share = returning / sum(map(bool, holdings))
    tasks = []
    for client in chosen:
        notes = memory.notes(client)
        received = memory.travelling(rule.start(server.model, notes))
        visit = Visit(received, broadcast, notes, share)
        task = ClientTask(round_number, client, holdings[client], visit, memory.local(client))
        tasks.append(task)
    return tasks, fates


def _upload(
    federation: Federation, server: Server, task: ClientTask, update: ClientUpdate, *, fate: Row
) -> tuple[ClientUpdate, Row]:
    """Return the update as the server uses it, and the columns of the history on it."""
    settings, model = federation.settings, server.model
    faults, norm = settings.federation.faults, settings.federation.clipping_norm
    # Sorted, because the order in a model that was read again is one of chance, and an attack draws
    # noise for one tensor after the other.
    sent = sorted(name for name in model if federation.memory.travels(name))
    columns = dict(fate)
    if faults is not None and fate["attack"]:
        noise = stream(settings.seed, "attack", round=task.round, client=task.client)
        update = attacked(update, model, faults, sent=sent, noise=noise)
    if norm is not None:
        update, columns["clipped"] = clipped(update, model, norm, sent=sent)
    return update, columns


def _absent_rows(task: ClientTask, fate: Row) -> list[Row]:
    """Return the rows of a client that returns no update; empty for others."""
    if not fate.get("absent"):
        return []
    nothing = {"steps": 0, "loss": None, "seconds": 0.0, "dropped": None, **fate}
    return [
        {
            "round": task.round,
            "client": task.client,
            "modality": modality,
            "samples": len(indices),
            **nothing,
        }
        for modality, indices in task.samples.items()
    ]
