"""Simulated faults of clients: who drops out, who misses the deadline, and who is malicious.

Every draw has a random stream of its own, so faults change neither the selection of clients nor the
training of those that return.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from fedssl.federation.history import Row
from fedssl.federation.settings import Faults, FederatedSettings
from fedssl.randomness import stream

Holdings = Sequence[Mapping[str, np.ndarray]]


def fates_of(
    holdings: Holdings, chosen: Sequence[int], settings: FederatedSettings, *, round_number: int
) -> dict[int, Row]:
    """Return the columns of the history on the faults of each chosen client.

    `absent` is `dropout` or `straggler` for a client that returns no update, else None. `duration`
    is the simulated duration of its training; it is missing without a deadline. `attack` names the
    attack that a malicious client sends. Without faults, there are no columns.
    """
    faults = settings.federation.faults
    if faults is None:
        return {client: {} for client in chosen}
    malicious = malicious_clients(settings)
    found = {}
    for client in chosen:
        fate: Row = {"absent": None, "attack": None}
        if faults.deadline is not None:
            fate["duration"] = duration = _duration(holdings[client], settings, faults, client)
            fate["absent"] = "straggler" if duration > faults.deadline else None
        if stream(settings.seed, "dropout", round=round_number, client=client).random() < (
            faults.dropout
        ):
            fate["absent"] = "dropout"
        if client in malicious and fate["absent"] is None:
            fate["attack"] = faults.attack
        found[client] = fate
    return found


def malicious_clients(settings: FederatedSettings) -> set[int]:
    """Return the clients that are malicious, the same in all rounds; none without an attack."""
    faults = settings.federation.faults
    if faults is None or faults.attack is None:
        return set()
    clients = settings.federation.clients
    order = stream(settings.seed, "malicious clients").permutation(clients)
    # The first of one permutation, so that a larger share adds clients and replaces none.
    return set(order[: round(faults.malicious * clients)].tolist())


def _duration(
    held: Mapping[str, np.ndarray], settings: FederatedSettings, faults: Faults, client: int
) -> float:
    """Return samples times local epochs times the client's slowness."""
    samples = sum(map(len, held.values()))
    slowness = stream(settings.seed, "client speed", client=client).lognormal(
        sigma=faults.speed_sigma
    )
    return float(samples * settings.federation.local_epochs * slowness)
