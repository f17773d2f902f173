"""Federated pretraining, from a cell's settings to its final model (fssuavl section 3.2)."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from fedssl import methods
from fedssl.aggregators import get_rule
from fedssl.aggregators.accumulator import Accumulator, Rule
from fedssl.backbones.encoder import initialise
from fedssl.data.bank import open_bank
from fedssl.data.sharding import client_modalities, read_shards
from fedssl.device import prepare_device
from fedssl.errors import UserError
from fedssl.federation.batches import MIN_BATCH
from fedssl.federation.checkpoint import (
    load_checkpoint,
    save_checkpoint,
    save_state,
)
from fedssl.federation.client import ClientTask, LocalTrainer
from fedssl.federation.heads import Heads, build_heads
from fedssl.federation.history import Row, mean_loss, seconds_until, write_rows
from fedssl.federation.milestones import Milestones
from fedssl.files import digest, read_json, sha256
from fedssl.progress import Progress
from fedssl.randomness import stream
from fedssl.splits import MODALITIES, parse_split
from fedssl.views.samples import Views

State = dict[str, Tensor]
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Federation:
    """What stays the same over all rounds."""

    trainer: LocalTrainer
    heads: Heads
    holdings: Sequence[Mapping[str, np.ndarray]]
    settings: Mapping[str, Any]


def pretrain(
    settings: Mapping[str, Any],
    *,
    inputs: Mapping[str, str],
    checkpoints: str,
    model: str,
    rounds: str,
    milestones: str,
) -> dict[str, Any]:
    """Train all rounds, or those left after an interruption; write the model and its history.

    `inputs` are the files `image_bank`, `image_shards`, `audio_bank`, `audio_shards` of the
    modalities in use, and `normalisation` for audio; the models of the rounds to keep go into the
    folder `milestones`. Returns the facts that provenance keeps. The result is a pure function of
    settings and inputs: where it was interrupted, and how often, does not show in it. The folder
    `checkpoints` stays, for the caller to remove once the job is recorded.
    """
    device = prepare_device(settings["threads"])
    federation, state = set_up(settings, inputs, device=device)
    folder = Path(checkpoints) / digest({name: sha256(path) for name, path in inputs.items()})[:16]
    kept = Milestones(folder / "milestones", settings["federation"]["kept_rounds"])
    done, rows = 0, list[Row]()
    if (resumed := load_checkpoint(folder)) is not None:
        done, saved, rows = resumed
        saved = {name: tensor.to(device) for name, tensor in saved.items()}
        state = {name: saved.pop(name) for name in state}
        federation.heads.load(saved)
        _log.info("resuming after round %d", done)
    else:
        kept.keep(0, state)
    total = settings["federation"]["rounds"]
    with Progress(total, done=done) as progress:
        for round_number in range(done + 1, total + 1):
            state, round_rows = run_round(federation, state, round_number)
            rows += round_rows
            kept.keep(round_number, state)
            save_checkpoint(folder, round_number, {**state, **federation.heads.state()}, rows)
            progress.advance(round_number, mean_loss(round_rows))
    save_state(state, model)
    write_rows(rows, rounds)
    kept.deliver(milestones)
    everything = federation.heads.transmits_head
    sent = {n: t for n, t in state.items() if everything or n.startswith("backbone.")}
    return _facts(sent, rows, resumed_after=done)


def run_round(federation: Federation, state: State, round_number: int) -> tuple[State, list[Row]]:
    """Return the global state after one round, and its history: one row a client and modality."""
    settings = federation.settings
    clients = sample_clients(federation.holdings, settings, round_number=round_number)
    accumulator = Accumulator(state, _rule(settings["aggregator"], round_number))
    rows: list[Row] = []
    for client in clients:
        task = ClientTask(round_number, client, federation.holdings[client])
        received = federation.heads.receive(client, state)
        update, client_rows = federation.trainer.train(received, task)
        if accumulator.add(update):
            federation.heads.keep(client, received, update.state)
        else:
            _log.warning("round %d: client %d left out, not finite", round_number, client)
        rows += client_rows
    return accumulator.result(), rows


def _rule(aggregator: Mapping[str, Any], round_number: int) -> Rule:
    """Return the rule of a round: L-DAWA averages as FedAvg until its warm-up is over."""
    if round_number <= aggregator.get("warmup_rounds", 0):
        return get_rule("fedavg")
    own = {key: aggregator[key] for key in ("clamp_low", "scale_buffers") if key in aggregator}
    return get_rule(aggregator["name"], **own)


def sample_clients(
    holdings: Sequence[Mapping[str, np.ndarray]],
    settings: Mapping[str, Any],
    *,
    round_number: int,
) -> list[int]:
    """Return the round's clients, sorted: uniform without replacement among those with data."""
    usable = [client for client, held in enumerate(holdings) if held]
    wanted = round(settings["federation"]["fraction"] * settings["federation"]["clients"])
    rng = stream(settings["seed"], "client sampling", round=round_number)
    chosen = rng.choice(usable, size=min(max(wanted, 1), len(usable)), replace=False)
    return sorted(chosen.tolist())


def set_up(
    settings: Mapping[str, Any], inputs: Mapping[str, str], *, device: torch.device
) -> tuple[Federation, State]:
    """Return the federation and the global state of round 0."""
    used = [modality for modality in MODALITIES if f"{modality}_bank" in inputs]
    banks = {m: open_bank(Path(inputs[f"{m}_bank"]).parent) for m in used}
    parts = {m: read_shards(inputs[f"{m}_shards"], bank) for m, bank in banks.items()}
    statistics = read_json(inputs["normalisation"]) if "normalisation" in inputs else None
    views = {
        m: Views(bank, settings, statistics=statistics, device=device) for m, bank in banks.items()
    }
    encoder = initialise(settings["seed"], **settings["encoder"])
    named = dict(settings["method"])
    method = methods.build(named.pop("name"), encoder, **named)
    state = {name: tensor.clone().to(device) for name, tensor in method.state_dict().items()}
    trainer = LocalTrainer(method, views, settings, device=device)
    heads = build_heads(settings, state)
    return Federation(trainer, heads, _holdings(settings, parts), settings), state


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


def _facts(sent: State, rows: Sequence[Row], *, resumed_after: int) -> dict[str, Any]:
    """Return what a federation would have sent, and where this run began."""
    visits = len({(row["round"], row["client"]) for row in rows})
    size = sum(tensor.numel() * tensor.element_size() for tensor in sent.values())
    return {
        "bytes_down": visits * size,
        "bytes_up": visits * size,
        "resumed_after_round": resumed_after,
        "earlier_seconds": seconds_until(rows, resumed_after),
    }
