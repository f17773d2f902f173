"""Federated pretraining, from a cell's settings to its final model (fssuavl section 3.2)."""

import contextlib
import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from fedssl.aggregators import build
from fedssl.aggregators.accumulator import Accumulator
from fedssl.aggregators.base import Aggregator, Visit
from fedssl.data.banks.bank import open_bank
from fedssl.data.sharding import client_modalities, read_shards
from fedssl.device import prepare_device
from fedssl.errors import UserError
from fedssl.federation.batches import MIN_BATCH
from fedssl.federation.checkpoint import (
    load_checkpoint,
    save_checkpoint,
    save_state,
)
from fedssl.federation.client import ClientTask, LocalTrainer, local_trainer
from fedssl.federation.distributed import WorkerPool
from fedssl.federation.history import Row, mean_loss, seconds_until, write_rows
from fedssl.federation.memory import ClientMemory, build_memory
from fedssl.federation.milestones import Milestones
from fedssl.federation.server import Server, num_bytes, restored
from fedssl.federation.settings import FederatedSettings
from fedssl.files import digest, sha256
from fedssl.grid.splits import MODALITIES, parse_split
from fedssl.progress import RoundProgress
from fedssl.randomness import stream
from fedssl.typed import typed

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Federation:
    """What stays the same over all rounds, and what clients keep between them."""

    trainer: LocalTrainer | WorkerPool
    aggregator: Aggregator
    memory: ClientMemory
    holdings: Sequence[Mapping[str, np.ndarray]]
    settings: FederatedSettings


def pretrain(
    settings: Mapping[str, Any],
    *,
    inputs: Mapping[str, str],
    threads: int,
    checkpoints: str,
    model: str,
    rounds: str,
    milestones: str,
) -> dict[str, Any]:
    """Train all rounds, or those left after an interruption; write the model and its history.

    `inputs` are the files `image_bank`, `image_shards`, `audio_bank`, `audio_shards` of the
    modalities in use, and `normalisation` for audio; the models of the rounds to keep go into the
    folder `milestones`. As many clients train side by side as the job's `threads` hold the threads
    of one. Returns the facts that provenance keeps. The result is a pure function of settings and
    inputs: where it was interrupted, how often, and how many clients trained side by side, do not
    show in it. The folder `checkpoints` stays, for the caller to remove once the job is recorded.
    """
    own = typed(FederatedSettings, settings)
    device = prepare_device(own.threads)
    folder = Path(checkpoints) / digest({name: sha256(path) for name, path in inputs.items()})[:16]
    kept = Milestones(folder / "milestones", own.federation.kept_rounds)
    federation, server = set_up(own, inputs, device=device)
    done, server, rows = _resume(folder, federation.memory, server, device=device)
    workers = _workers(own, threads)
    with side_by_side(federation, workers, inputs, device=device) as federation:
        server, rows = _train(federation, server, rows, done=done, folder=folder, kept=kept)
    save_state(server.model, model)
    write_rows(rows, rounds)
    kept.deliver(milestones)
    return {
        "bytes_down": server.bytes_down,
        "bytes_up": server.bytes_up,
        "clients_side_by_side": workers,
        "resumed_after_round": done,
        "earlier_seconds": seconds_until(rows, done) / workers,
    }


def _resume(
    folder: Path, memory: ClientMemory, server: Server, *, device: torch.device
) -> tuple[int, Server, list[Row]]:
    """Return (rounds done, server, history) of the newest checkpoint, or of no round."""
    if (resumed := load_checkpoint(folder)) is None:
        return 0, server, []
    done, saved, rows = resumed
    parts = {
        part: {name: tensor.to(device) for name, tensor in state.items()}
        for part, state in saved.items()
    }
    memory.load(parts.pop("clients", {}))
    # In the order of the encoder's own state, as in a run that was not interrupted.
    parts["model"] = {name: parts["model"][name] for name in server.model}
    _log.info("resuming after round %d", done)
    return done, restored(parts), rows


def _train(
    federation: Federation,
    server: Server,
    rows: list[Row],
    *,
    done: int,
    folder: Path,
    kept: Milestones,
) -> tuple[Server, list[Row]]:
    """Return the server after the last round and the whole history; every round is saved."""
    if done == 0:
        kept.keep(0, server.model)
    total = federation.settings.federation.rounds
    with RoundProgress(total, done=done) as progress:
        for round_number in range(done + 1, total + 1):
            server, round_rows = run_round(federation, server, round_number)
            rows = rows + round_rows
            kept.keep(round_number, server.model)
            parts = {**server.parts(), "clients": federation.memory.state()}
            save_checkpoint(folder, round_number, parts, rows)
            progress.advance(round_number, mean_loss(round_rows))
    return server, rows


def run_round(
    federation: Federation, server: Server, round_number: int
) -> tuple[Server, list[Row]]:
    """Return the server after one round, and its history: one row a client and modality."""
    memory, rule = federation.memory, federation.aggregator.in_round(round_number)
    accumulator = Accumulator(rule, server.model)
    # All tasks before any training: clients in parallel must not see each other's results.
    tasks = _tasks(federation, rule, server, round_number=round_number)
    rows: list[Row] = []
    down = up = 0
    for task, (update, notes, client_rows) in zip(
        tasks, federation.trainer.train_each(tasks), strict=True
    ):
        # A client that diverged keeps what it had, or it would start from NaN again.
        if accumulator.add(update):
            memory.keep(task.client, update.state, notes)
        else:
            _log.warning("round %d: client %d left out, not finite", round_number, task.client)
        down += num_bytes(task.visit.received, task.visit.broadcast)
        up += num_bytes(memory.travelling(update.state), update.report)
        rows += client_rows
    model, state = accumulator.step(server.state)
    return server.after(model, state, down=down, up=up), rows


def _tasks(
    federation: Federation, rule: Aggregator, server: Server, *, round_number: int
) -> list[ClientTask]:
    """Return what each of the round's clients does, in their order."""
    memory, holdings = federation.memory, federation.holdings
    chosen = sample_clients(holdings, federation.settings, round_number=round_number)
    broadcast = memory.travelling(rule.broadcast(server.state))
    share = len(chosen) / sum(map(bool, holdings))
    tasks = []
    for client in chosen:
        notes = memory.notes(client)
        received = memory.travelling(rule.start(server.model, notes))
        visit = Visit(received, broadcast, notes, share)
        task = ClientTask(round_number, client, holdings[client], visit, memory.local(client))
        tasks.append(task)
    return tasks


def sample_clients(
    holdings: Sequence[Mapping[str, np.ndarray]],
    settings: FederatedSettings,
    *,
    round_number: int,
) -> list[int]:
    """Return the round's clients, sorted: uniform without replacement among those with data."""
    usable = [client for client, held in enumerate(holdings) if held]
    wanted = _clients_per_round(settings)
    rng = stream(settings.seed, "client sampling", round=round_number)
    chosen = rng.choice(usable, size=min(wanted, len(usable)), replace=False)
    return sorted(chosen.tolist())


def _clients_per_round(settings: FederatedSettings) -> int:
    federation = settings.federation
    wanted: int = round(federation.fraction * federation.clients)
    return max(1, wanted)


def _workers(settings: FederatedSettings, threads: int) -> int:
    """Return the number of clients to train in parallel in a job with these threads."""
    at_once: int = threads // settings.threads
    return min(max(1, at_once), _clients_per_round(settings))


def set_up(
    settings: FederatedSettings, inputs: Mapping[str, str], *, device: torch.device
) -> tuple[Federation, Server]:
    """Return the federation, which trains one client after another, and the server of round 0."""
    parts = {
        modality: read_shards(inputs[f"{modality}_shards"], open_bank(Path(bank).parent))
        for modality in MODALITIES
        if (bank := inputs.get(f"{modality}_bank"))
    }
    trainer = local_trainer(settings, inputs, device=device)
    method, aggregator = trainer.method, build(**settings.aggregator)
    state = {name: tensor.clone() for name, tensor in method.global_state().items()}
    memory = build_memory(settings, sent=method.sent, kept=method.kept)
    federation = Federation(trainer, aggregator, memory, _holdings(settings, parts), settings)
    return federation, Server(state, aggregator.init(state))


@contextlib.contextmanager
def side_by_side(
    federation: Federation, workers: int, inputs: Mapping[str, str], *, device: torch.device
) -> Iterator[Federation]:
    """Yield the federation with as many clients trained at once as it has workers."""
    if workers == 1:
        yield federation
        return
    with WorkerPool(workers, federation.settings, inputs, device=device) as pool:
        yield replace(federation, trainer=pool)


def _holdings(
    settings: FederatedSettings, parts: Mapping[str, Sequence[np.ndarray]]
) -> list[dict[str, np.ndarray]]:
    """Return what each client trains on: its shards of the modalities the split gives it."""
    clients = settings.federation.clients
    held = client_modalities(parse_split(settings.split), clients, seed=settings.seed)
    holdings = [
        {m: parts[m][client] for m in held[client] if len(parts[m][client]) >= MIN_BATCH}
        for client in range(clients)
    ]
    if not any(holdings):
        raise UserError(
            f"no client of split {settings.split} holds {MIN_BATCH} samples of a modality; "
            "use fewer clients or a larger alpha."
        )
    return holdings
