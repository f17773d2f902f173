"""Shards: which samples each client holds, and which modalities (fssuavl section 3.4, 5.1-5.3)."""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from fedssl.data.banks.bank import Bank
from fedssl.errors import UserError
from fedssl.files import digest, read_json, write_json
from fedssl.grid.splits import MODALITIES, Split
from fedssl.randomness import stream

_MAX_DRAWS = 100
_log = logging.getLogger(__name__)


def dirichlet_shards(
    labels: np.ndarray, num_clients: int, alpha: float, seed: int
) -> list[np.ndarray]:
    """Return each client's sample positions: per class, shares drawn from Dir(alpha).

    Lossless and disjoint: the cuts of a class are floor(cumulative share * class size), and the
    last client takes what is left. Deterministic in `seed`.
    """
    rng = stream(seed, "dirichlet shards")
    parts: list[list[np.ndarray]] = [[] for _ in range(num_clients)]
    for label in np.unique(labels):
        members = rng.permutation(np.flatnonzero(labels == label))
        shares = rng.dirichlet(np.full(num_clients, alpha))
        for client, part in enumerate(split_by_shares(members, shares)):
            parts[client].append(part)
    return [np.sort(np.concatenate(client)).astype(np.int64) for client in parts]


def split_by_shares(members: np.ndarray, shares: np.ndarray) -> list[np.ndarray]:
    """Cut `members` into consecutive parts of the given shares, without a remainder."""
    cuts = np.floor(np.cumsum(shares)[:-1] * len(members)).astype(np.int64)
    return np.split(members, cuts)


def write_shards(bank: Bank, path: str | Path, *, sharding: Mapping[str, Any], seed: int) -> None:
    """Write the shards of a bank's training split, to be shared by all cells of the seed.

    A draw that leaves a client with fewer than `min_samples` is drawn again, up to 100 times;
    then the last one is kept, and `small_clients` and a warning say who fell short.

    Raises:
        UserError: No draw could give every client its `min_samples`.
    """
    train = bank.indices("train")
    _check_enough(bank.dataset, len(train), sharding)
    for draw in range(_MAX_DRAWS):
        positions = dirichlet_shards(
            bank.labels[train], sharding["clients"], sharding["alpha"], _draw_seed(seed, bank, draw)
        )
        small = [i for i, part in enumerate(positions) if len(part) < sharding["min_samples"]]
        if not small:
            break
    if small:
        _log.warning(
            "%s: %d of %d clients hold fewer than %d samples after %d draws, and one "
            "with fewer than 2 never trains; lower federation.clients or raise sharding.alpha",
            *(bank.dataset, len(small), len(positions), sharding["min_samples"], _MAX_DRAWS),
        )
    clients = [train[part].tolist() for part in positions]
    histogram = [
        np.bincount(bank.labels[part], minlength=len(bank.classes)).tolist() for part in clients
    ]
    content = {
        "dataset": bank.dataset,
        "bank": bank.digest,
        "sharding": dict(sharding),
        "seed": seed,
        "draw": draw,
        "small_clients": small,
        "dropped": len(train) - sum(map(len, clients)),
        "classes": list(bank.classes),
        "histogram": histogram,
        "clients": clients,
    }
    write_json(path, content | {"digest": digest(content)})


def read_shards(path: str | Path, bank: Bank) -> list[np.ndarray]:
    """Return each client's sample indices; refuse a file that is damaged or of another bank."""
    content = read_json(path)
    claimed = content.pop("digest", None)
    if claimed != digest(content):
        raise UserError(f"{path} does not match its own digest: delete it and run again.")
    if content["bank"] != bank.digest:
        raise UserError(
            f"{path} was drawn for the bank {content['bank'][:12]}, but the bank of "
            f"{bank.dataset} is {bank.digest[:12]}: delete it and run again."
        )
    return [np.array(client, dtype=np.int64) for client in content["clients"]]


def client_modalities(split: Split, num_clients: int, *, seed: int) -> list[tuple[str, ...]]:
    """Return each client's modalities: both first, then audio, then image along a permutation.

    The permutation depends on the seed alone, so the clients with both modalities at 30 % are
    among those at 50 %. A client without a modality drops that shard; nobody else receives it.
    """
    order = stream(seed, "client modalities").permutation(num_clients)
    both = round(split.both * num_clients / 100)
    audio = round((split.both + split.audio) * num_clients / 100) - both
    kinds: Sequence[tuple[str, ...]] = (
        [MODALITIES] * both + [("audio",)] * audio + [("image",)] * (num_clients - both - audio)
    )
    held: list[tuple[str, ...]] = [()] * num_clients
    for client, modalities in zip(order.tolist(), kinds, strict=True):
        held[client] = modalities
    return held


def _check_enough(dataset: str, samples: int, sharding: Mapping[str, Any]) -> None:
    """Raise UserError where a dataset is too small for so many clients."""
    clients, least = sharding["clients"], sharding["min_samples"]
    if samples < clients * least:
        raise UserError(
            f"{dataset} has {samples} training samples, too few for {clients} clients of at least "
            f"{least} (sharding.min_samples): set studies.<name>.settings.federation.clients to at "
            f"most {samples // max(least, 1)}."
        )


def _draw_seed(seed: int, bank: Bank, draw: int) -> int:
    return int(stream(seed, f"shards of {bank.dataset}", round=draw).integers(2**32))
