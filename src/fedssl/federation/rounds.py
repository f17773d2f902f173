"""Federated pretraining, from a cell's settings to its final model (fssuavl section 3.2)."""

import contextlib
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from fedssl.aggregators import build
from fedssl.data.banks.bank import open_bank
from fedssl.data.sharding import read_shards
from fedssl.device import prepare_device
from fedssl.federation.checkpoint import (
    checkpoint_folder,
    load_checkpoint,
    save_checkpoint,
    save_state,
)
from fedssl.federation.client import local_trainer
from fedssl.federation.distributed import WorkerPool
from fedssl.federation.divergence import (
    Diverged,
    backbone_change,
    check_returned,
    check_round,
    suspects,
)
from fedssl.federation.history import Row, mean_loss, num_updates, seconds_until, write_rows
from fedssl.federation.memory import ClientMemory, build_memory
from fedssl.federation.milestones import Milestones
from fedssl.federation.one_round import Federation, run_round
from fedssl.federation.participants import client_holdings, clients_per_round
from fedssl.federation.server import Server, State, num_bytes, restored
from fedssl.federation.settings import FederatedSettings
from fedssl.federation.tracking import tracking
from fedssl.grid.splits import MODALITIES
from fedssl.progress import RoundProgress
from fedssl.typed import typed

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Engine:
    """How the clients of a round train.

    Attributes:
        name: part of the name of the folder of checkpoints: each engine resumes its own.
        running: is called like `side_by_side`, and may replace the federation's memory as well.
    """

    name: str
    running: Callable[..., contextlib.AbstractContextManager[Federation]]


def pretrain(
    settings: Mapping[str, Any],
    *,
    inputs: Mapping[str, str],
    clients: int,
    checkpoints: str,
    model: str,
    rounds: str,
    milestones: str,
    engine: Engine | None = None,
) -> dict[str, Any]:
    """Train all rounds and write the model and its history; continue an interrupted training.

    The result depends only on settings and inputs. Interruptions, and the number of clients that
    train in parallel, do not change a bit of it.

    Args:
        settings: of the cell (`FederatedSettings`).
        inputs: the files `image_bank`, `image_shards`, `audio_bank` and `audio_shards` of the
            modalities in use, and `normalisation` for audio.
        clients: number of clients to train in parallel.
        checkpoints: folder of the interrupted training. It stays: the caller removes it once the
            job is recorded.
        model: file of the final global model.
        rounds: CSV file of the history.
        milestones: folder of the models of the rounds to keep.
        engine: trains the clients; by default, processes of this machine.

    Returns:
        The facts for the provenance record.

    Raises:
        UserError: No update of a round was finite, too many of the training's were not, or no
            client ever returned one.
    """
    own = typed(FederatedSettings, settings)
    device = prepare_device(own.threads, precision=own.precision, portable=own.portable)
    folder = checkpoint_folder(checkpoints, inputs)
    if engine:
        folder = folder.with_name(f"{folder.name}-{engine.name}")
    kept = Milestones(folder, own.federation.kept_rounds)
    federation, server = set_up(own, inputs, device=device)
    start = server.model
    workers = min(clients, clients_per_round(own))
    running = engine.running if engine else side_by_side
    with running(federation, workers, inputs, device=device) as federation:
        done, server, rows = _resume(folder, federation.memory, server, kept, device=device)
        cell = str(Path(rounds).parent)
        server, rows = _train(
            federation, server, rows, done=done, folder=folder, kept=kept, cell=cell
        )
    check_returned(rows)
    training = _training_facts(rows, start, server.model)
    save_state(server.model, model, training=training)
    write_rows(rows, rounds)
    kept.deliver(milestones)
    return {
        **_sizes(federation.memory, server),
        **training,
        "clients_side_by_side": workers,
        "resumed_after_round": done,
        "earlier_seconds": seconds_until(rows, done) / workers,
    }


def _training_facts(rows: Sequence[Row], start: State, end: State) -> dict[str, Any]:
    """Return the facts of a training that the model's file holds, see `read_training`."""
    return {
        "updates": num_updates(rows),
        "dropped_updates": num_updates(rows, dropped=True),
        "backbone_change": backbone_change(start, end),
    }


def _sizes(memory: ClientMemory, server: Server) -> dict[str, int]:
    """Return how much was sent, and how much a client and the server keep between rounds."""
    return {
        "bytes_down": server.bytes_down,
        "bytes_up": server.bytes_up,
        "client_memory_bytes": memory.most_bytes(),
        "server_memory_bytes": num_bytes(server.model, server.state),
    }


def _resume(
    folder: Path,
    memory: ClientMemory,
    server: Server,
    kept: Milestones,
    *,
    device: torch.device,
) -> tuple[int, Server, list[Row]]:
    """Return (rounds done, server, history) of the newest checkpoint, or the start without one."""
    if (resumed := load_checkpoint(folder)) is None:
        return 0, server, []
    parts = {
        part: {name: tensor.to(device) for name, tensor in state.items()}
        for part, state in resumed.parts.items()
    }
    kept.restore(resumed.kept)
    memory.load(parts.pop("clients", {}))
    # In the order of the encoder's own state, as in a run that was not interrupted.
    parts["model"] = {name: parts["model"][name] for name in server.model}
    _log.info("resuming after round %d", resumed.round)
    return resumed.round, restored(parts), resumed.rows


def _train(
    federation: Federation,
    server: Server,
    rows: list[Row],
    *,
    done: int,
    folder: Path,
    kept: Milestones,
    cell: str,
) -> tuple[Server, list[Row]]:
    """Return the server after the last round and the whole history; save every round."""
    if done == 0:
        kept.keep(0, server.model)
    total = federation.settings.federation.rounds
    with RoundProgress(total, done=done) as progress, tracking(cell, done=done) as track:
        for round_number in range(done + 1, total + 1):
            server, round_rows = run_round(federation, server, round_number)
            rows = rows + round_rows
            # Before the checkpoint, so that the newest one kept is of a good round.
            try:
                check_round(rows, round_number, server.model, rounds=total)
            except Diverged as error:
                raise error.explained(federation.suspects, folder) from None
            kept.keep(round_number, server.model)
            parts = {**server.parts(), "clients": federation.memory.state()}
            save_checkpoint(folder, round_number, parts, rows, kept=kept.files())
            progress.advance(round_number, mean_loss(round_rows))
            track(round_number, round_rows)
    return server, rows


def set_up(
    settings: FederatedSettings, inputs: Mapping[str, str], *, device: torch.device
) -> tuple[Federation, Server]:
    """Return the federation, training one client at a time, and the server of round 0."""
    parts = {
        modality: read_shards(inputs[f"{modality}_shards"], open_bank(Path(bank).parent))
        for modality in MODALITIES
        if (bank := inputs.get(f"{modality}_bank"))
    }
    trainer = local_trainer(settings, inputs, device=device)
    method, aggregator = trainer.method, build(**settings.aggregator)
    state = {name: tensor.clone() for name, tensor in method.global_state().items()}
    memory = build_memory(settings, sent=method.sent, kept=method.kept)
    start = aggregator.init(memory.travelling(state))
    blame = suspects(settings.optimiser, settings.precision, method.settings, aggregator)
    holdings = client_holdings(settings, parts)
    federation = Federation(trainer, aggregator, memory, holdings, settings, blame)
    return federation, Server(state, start)


@contextlib.contextmanager
def side_by_side(
    federation: Federation, workers: int, inputs: Mapping[str, str], *, device: torch.device
) -> Iterator[Federation]:
    """Yield the federation, training as many clients in parallel as there are workers."""
    if workers == 1:
        yield federation
        return
    with WorkerPool(workers, federation.settings, inputs, device=device) as pool:
        yield replace(federation, trainer=pool)
