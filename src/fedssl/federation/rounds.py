"""Federated pretraining, from a cell's settings to its final model (fssuavl section 3.2)."""

import contextlib
import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from fedssl.aggregators import get_rule
from fedssl.aggregators.accumulator import Accumulator, Rule
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
from fedssl.federation.heads import Heads, build_heads
from fedssl.federation.history import Row, mean_loss, seconds_until, write_rows
from fedssl.federation.milestones import Milestones
from fedssl.files import digest, sha256
from fedssl.grid.splits import MODALITIES, parse_split
from fedssl.progress import RoundProgress
from fedssl.randomness import stream

State = dict[str, Tensor]
_log = logging.getLogger(__name__)
# Settings of an aggregator that the round loop and the clients' heads read.
_NOT_THE_RULES = ("name", "warmup_rounds", "mu")


@dataclass(frozen=True)
class Federation:
    """What stays the same over all rounds."""

    trainer: LocalTrainer | WorkerPool
    heads: Heads
    holdings: Sequence[Mapping[str, np.ndarray]]
    settings: Mapping[str, Any]


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
    device = prepare_device(settings["threads"])
    folder = Path(checkpoints) / digest({name: sha256(path) for name, path in inputs.items()})[:16]
    kept = Milestones(folder / "milestones", settings["federation"]["kept_rounds"])
    federation, state = set_up(settings, inputs, device=device)
    done, state, rows = _resume(folder, federation.heads, state, device=device)
    workers = _workers(settings, threads)
    with side_by_side(federation, workers, inputs, device=device) as federation:
        state, rows = _train(federation, state, rows, done=done, folder=folder, kept=kept)
    save_state(state, model)
    write_rows(rows, rounds)
    kept.deliver(milestones)
    return {
        **_bytes_sent(federation.heads, state, rows),
        "clients_side_by_side": workers,
        "resumed_after_round": done,
        "earlier_seconds": seconds_until(rows, done) / workers,
    }


def _resume(
    folder: Path, heads: Heads, state: State, *, device: torch.device
) -> tuple[int, State, list[Row]]:
    """Return (rounds done, global state, history) of the newest checkpoint, or of no round."""
    if (resumed := load_checkpoint(folder)) is None:
        return 0, state, []
    done, saved, rows = resumed
    saved = {name: tensor.to(device) for name, tensor in saved.items()}
    state = {name: saved.pop(name) for name in state}
    heads.load(saved)
    _log.info("resuming after round %d", done)
    return done, state, rows


def _train(
    federation: Federation,
    state: State,
    rows: list[Row],
    *,
    done: int,
    folder: Path,
    kept: Milestones,
) -> tuple[State, list[Row]]:
    """Return the last global state and the whole history; every round is kept as it ends."""
    if done == 0:
        kept.keep(0, state)
    total = federation.settings["federation"]["rounds"]
    with RoundProgress(total, done=done) as progress:
        for round_number in range(done + 1, total + 1):
            state, round_rows = run_round(federation, state, round_number)
            rows = rows + round_rows
            kept.keep(round_number, state)
            save_checkpoint(folder, round_number, {**state, **federation.heads.state()}, rows)
            progress.advance(round_number, mean_loss(round_rows))
    return state, rows


def run_round(federation: Federation, state: State, round_number: int) -> tuple[State, list[Row]]:
    """Return the global state after one round, and its history: one row a client and modality."""
    settings, heads = federation.settings, federation.heads
    accumulator = Accumulator(state, _rule(settings["aggregator"], round_number))
    tasks = [
        ClientTask(round_number, client, federation.holdings[client], heads.receive(client, state))
        for client in sample_clients(federation.holdings, settings, round_number=round_number)
    ]
    rows: list[Row] = []
    for task, (update, client_rows) in zip(
        tasks, federation.trainer.train_each(tasks), strict=True
    ):
        if accumulator.add(update):
            heads.keep(task.client, task.received, update.state)
        else:
            _log.warning("round %d: client %d left out, not finite", round_number, task.client)
        rows += client_rows
    return accumulator.result(), rows


def _rule(aggregator: Mapping[str, Any], round_number: int) -> Rule:
    """Return the rule of a round: one with a warm-up (L-DAWA) averages as FedAvg until then."""
    if round_number <= aggregator.get("warmup_rounds", 0):
        return get_rule("fedavg")
    own = {key: value for key, value in aggregator.items() if key not in _NOT_THE_RULES}
    return get_rule(aggregator["name"], **own)


def sample_clients(
    holdings: Sequence[Mapping[str, np.ndarray]],
    settings: Mapping[str, Any],
    *,
    round_number: int,
) -> list[int]:
    """Return the round's clients, sorted: uniform without replacement among those with data."""
    usable = [client for client, held in enumerate(holdings) if held]
    wanted = _clients_per_round(settings)
    rng = stream(settings["seed"], "client sampling", round=round_number)
    chosen = rng.choice(usable, size=min(wanted, len(usable)), replace=False)
    return sorted(chosen.tolist())


def _clients_per_round(settings: Mapping[str, Any]) -> int:
    federation = settings["federation"]
    wanted: int = round(federation["fraction"] * federation["clients"])
    return max(1, wanted)


def _workers(settings: Mapping[str, Any], threads: int) -> int:
    """Return how many clients train side by side in a job of so many threads."""
    at_once: int = threads // settings["threads"]
    return min(max(1, at_once), _clients_per_round(settings))


def set_up(
    settings: Mapping[str, Any], inputs: Mapping[str, str], *, device: torch.device
) -> tuple[Federation, State]:
    """Return the federation, which trains one client after another, and the state of round 0."""
    parts = {
        modality: read_shards(inputs[f"{modality}_shards"], open_bank(Path(bank).parent))
        for modality in MODALITIES
        if (bank := inputs.get(f"{modality}_bank"))
    }
    trainer = local_trainer(settings, inputs, device=device)
    state = {name: tensor.clone() for name, tensor in trainer.state.items()}
    heads = build_heads(settings, state)
    return Federation(trainer, heads, _holdings(settings, parts), settings), state


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
    settings: Mapping[str, Any], parts: Mapping[str, Sequence[np.ndarray]]
) -> list[dict[str, np.ndarray]]:
    """Return what each client trains on: its shards of the modalities the split gives it."""
    clients = settings["federation"]["clients"]
    held = client_modalities(parse_split(settings["split"]), clients, seed=settings["seed"])
    holdings = [
        {m: parts[m][client] for m in held[client] if len(parts[m][client]) >= MIN_BATCH}
        for client in range(clients)
    ]
    if not any(holdings):
        raise UserError(
            f"no client of split {settings['split']} holds {MIN_BATCH} samples of a modality; "
            "use fewer clients or a larger alpha."
        )
    return holdings


def _bytes_sent(heads: Heads, state: State, rows: Sequence[Row]) -> dict[str, int]:
    """Return what a federation would have sent: to each client of each round, and back."""
    sent = [t for n, t in state.items() if heads.transmits_head or n.startswith("backbone.")]
    size = sum(tensor.numel() * tensor.element_size() for tensor in sent)
    visits = len({(row["round"], row["client"]) for row in rows})
    return {"bytes_down": visits * size, "bytes_up": visits * size}
