"""Divide the training samples among the clients, and decide which modalities each client has.

See fssuavl section 3.4 for the shards and sections 5.1 to 5.3 for the modalities.
"""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from fedssl.data.banks.bank import Bank
from fedssl.data.settings import ShardSettings
from fedssl.errors import UserError
from fedssl.files import digest, read_json, write_json
from fedssl.grid.splits import MODALITIES, Split
from fedssl.randomness import stream
from fedssl.typed import typed

_MAX_DRAWS = 100
_log = logging.getLogger(__name__)


def dirichlet_shards(
    labels: np.ndarray, num_clients: int, alpha: float, seed: int
) -> list[np.ndarray]:
    """Return the sample positions of each client, sorted int64, from a label Dirichlet(alpha).

    For each class, the clients' shares are drawn from Dir(alpha). The shards are disjoint, every
    sample is assigned, and the result depends only on the arguments.
    """
    # paper: Dirichlet shards without a formula; here: the usual per-class scheme. The authors' code
    # floors shares of the whole dataset instead. It loses samples, and with classes of unequal
    # size it also distorts the shares.
    rng = stream(seed, "dirichlet shards")
    parts: list[list[np.ndarray]] = [[] for _ in range(num_clients)]
    for label in np.unique(labels):
        members = rng.permutation(np.flatnonzero(labels == label))
        shares = rng.dirichlet(np.full(num_clients, alpha))
        for client, part in enumerate(split_by_shares(members, shares)):
            parts[client].append(part)
    return [np.sort(np.concatenate(client)).astype(np.int64) for client in parts]


def split_by_shares(members: np.ndarray, shares: np.ndarray) -> list[np.ndarray]:
    """Cut `members` into consecutive parts with the given shares; the last part takes the rest."""
    # Floor the cumulative shares, not each share: no member is lost to rounding.
    cuts = np.floor(np.cumsum(shares)[:-1] * len(members)).astype(np.int64)
    return np.split(members, cuts)


def write_shards(bank: Bank, path: str | Path, *, sharding: Mapping[str, Any], seed: int) -> None:
    """Write the shards of a bank's training split as JSON.

    All cells of a seed use the same file, so that their results can be compared in pairs.
    `sharding` holds the settings of the job, see `ShardSettings`.

    Raises:
        UserError: the dataset has fewer samples than clients times `min_samples`.
    """
    own, train = typed(ShardSettings, sharding), bank.indices("train")
    _check_enough(bank.dataset, len(train), own)
    draw, positions, small = _draw(bank, train, own, seed=seed)
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
    """Return the sample indices of each client, int64.

    Raises:
        UserError: the file is damaged, or was drawn for another bank.
    """
    content = read_json(path)
    claimed = content.pop("digest", None)
    if claimed != digest(content):
        raise UserError(f"{path} does not match its own digest: delete it and run again.")
    # Indices are positions in one bank. A rebuilt bank may have its samples in another order.
    if content["bank"] != bank.digest:
        raise UserError(
            f"{path} was drawn for the bank {content['bank'][:12]}, but the bank of "
            f"{bank.dataset} is {bank.digest[:12]}: delete it and run again."
        )
    return [np.array(client, dtype=np.int64) for client in content["clients"]]


def client_modalities(split: Split, num_clients: int, *, seed: int) -> list[tuple[str, ...]]:
    """Return the modalities of each client.

    The clients are permuted. The first ones get both modalities, the next ones audio, the rest
    images. A client without a modality does not use its shard of it, and no other client gets it.
    """
    # The permutation depends only on the seed. The clients with both modalities at 30 % are
    # therefore among those at 50 %, and the points of figure 4 differ only by the clients added.
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


def _draw(
    bank: Bank, train: np.ndarray, settings: ShardSettings, *, seed: int
) -> tuple[int, list[np.ndarray], list[int]]:
    """Return the number of the draw, the positions of each client, and the small clients.

    Shards are drawn again, up to 100 times, while a client has fewer than `min_samples` samples.
    After that the last draw is kept, with a warning about these clients.
    """
    for draw in range(_MAX_DRAWS):
        positions = dirichlet_shards(
            bank.labels[train], settings.clients, settings.alpha, _draw_seed(seed, bank, draw)
        )
        small = [i for i, part in enumerate(positions) if len(part) < settings.min_samples]
        if not small:
            break
    if small:
        _log.warning(
            "%s: %d of %d clients have fewer than %d samples after %d draws; a client with fewer "
            "than 2 never trains. Lower federation.clients or raise sharding.alpha",
            *(bank.dataset, len(small), len(positions), settings.min_samples, _MAX_DRAWS),
        )
    return draw, positions, small


def _check_enough(dataset: str, samples: int, settings: ShardSettings) -> None:
    """Raise UserError if the dataset is too small for the number of clients."""
    clients, least = settings.clients, settings.min_samples
    if samples < clients * least:
        raise UserError(
            f"{dataset} has {samples} training samples, too few for {clients} clients with at "
            f"least {least} samples each (sharding.min_samples): set "
            f"studies.<name>.settings.federation.clients to at most {samples // max(least, 1)}."
        )


def _draw_seed(seed: int, bank: Bank, draw: int) -> int:
    # The dataset is part of the stream's name, so that client i does not get the same shares of
    # the image dataset and of the audio dataset.
    return int(stream(seed, f"shards of {bank.dataset}", round=draw).integers(2**32))
