"""Rehearse a pretraining: one round of a few real clients, with a few real batches each."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from fedssl.data.banks.bank import Bank, open_bank
from fedssl.device import prepare_device
from fedssl.federation.checkpoint import save_checkpoint
from fedssl.federation.history import Row
from fedssl.federation.one_round import Federation, run_round
from fedssl.federation.participants import clients_per_round
from fedssl.federation.rounds import set_up
from fedssl.federation.server import Server
from fedssl.federation.settings import FederatedSettings
from fedssl.rehearsal.meter import Meter
from fedssl.rehearsal.rates import Rate
from fedssl.typed import typed

_CLIENTS = 4  # at most
_BATCHES = 4  # of a client and a modality, at most
_Holdings = Sequence[Mapping[str, np.ndarray]]


def rehearse_pretraining(
    settings: Mapping[str, Any],
    *,
    inputs: Mapping[str, str],
    folder: Path,
    of: Mapping[str, Any],
) -> list[Rate]:
    """Return the rates of a pretraining, one per modality.

    A first round brings up caches, memory and kernels, and a second one is measured. The clients
    are spread evenly over those of the cell by their number of samples. Each trains for one epoch
    on at most four batches of a modality.

    Args:
        settings: of the cell (`FederatedSettings`).
        inputs: files as for `fedssl.federation.rounds.pretrain`.
        folder: empty folder for a checkpoint.
        of: the fields of `Rate` that name the job.
    """
    own = typed(FederatedSettings, settings)
    device = prepare_device(own.threads, precision=own.precision, portable=own.portable)
    meter = Meter(device)
    clients = min(_CLIENTS, clients_per_round(own))
    short = replace(own.federation, local_epochs=1, rounds=2, faults=None)
    whole, server = set_up(replace(own, federation=short), inputs, device=device)
    few = replace(own, federation=replace(short, clients=clients, fraction=1.0))
    part = replace(
        whole,
        holdings=_some(whole.holdings, clients, samples=_BATCHES * own.federation.batch_size),
        settings=few,
    )
    server, _ = _round(part, server, 1, folder)
    with meter:
        _, rows = _round(part, server, 2, folder)
    samples = {m: len(_bank(inputs, m).indices("train")) for m in {row["modality"] for row in rows}}
    return _rates(rows, meter, samples=samples, of={**of, "precision": own.precision})


def _round(
    federation: Federation, server: Server, number: int, folder: Path
) -> tuple[Server, list[Row]]:
    """Run a round and save its checkpoint, as a pretraining does."""
    server, rows = run_round(federation, server, number)
    parts = {**server.parts(), "clients": federation.memory.state()}
    save_checkpoint(folder, number, parts, rows)
    return server, rows


def _some(holdings: _Holdings, clients: int, *, samples: int) -> list[dict[str, np.ndarray]]:
    """Return a part of the samples of some clients, from small to large ones."""
    usable = sorted(filter(None, holdings), key=_size)
    # Centres of equal ranges: the smallest and the largest client are no typical ones.
    places = ((2 * place + 1) * len(usable) // (2 * clients) for place in range(clients))
    return [{m: own[:samples] for m, own in usable[place].items()} for place in places]


def _bank(inputs: Mapping[str, str], modality: str) -> Bank:
    return open_bank(Path(inputs[f"{modality}_bank"]).parent)


def _size(held: Mapping[str, np.ndarray]) -> int:
    return sum(map(len, held.values()))


def _rates(
    rows: Sequence[Row], meter: Meter, *, samples: Mapping[str, int], of: Mapping[str, Any]
) -> list[Rate]:
    # What the steps did not take went into the clients' models, the aggregator and the checkpoint.
    fixed = max(meter.seconds - sum(row["seconds"] for row in rows), 0.0)
    clients = len({row["client"] for row in rows})
    rates = []
    for modality in sorted(samples):
        own = [row for row in rows if row["modality"] == modality]
        rate = meter.rate(
            of,
            modality=modality,
            samples=samples[modality],
            steps=sum(row["steps"] for row in own),
            passed=sum(row["samples"] for row in own),
            warm_up=meter.seconds,
            seconds=sum(row["seconds"] for row in own),
            fixed_seconds=fixed / clients,
        )
        rates.append(rate)
    return rates
