"""Who trains: what each client holds, and which clients a round draws."""

from collections.abc import Mapping, Sequence

import numpy as np

from fedssl.data.sharding import client_modalities
from fedssl.errors import UserError
from fedssl.federation.batches import MIN_BATCH
from fedssl.federation.settings import FederatedSettings
from fedssl.grid.splits import parse_split
from fedssl.randomness import stream


def client_holdings(
    settings: FederatedSettings, parts: Mapping[str, Sequence[np.ndarray]]
) -> list[dict[str, np.ndarray]]:
    """Return each client's samples by modality: its shards of those the split gives it."""
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


def sample_clients(
    holdings: Sequence[Mapping[str, np.ndarray]],
    settings: FederatedSettings,
    *,
    round_number: int,
) -> list[int]:
    """Draw the round's clients uniformly without replacement from those with data, sorted."""
    usable = [client for client, held in enumerate(holdings) if held]
    wanted = clients_per_round(settings)
    rng = stream(settings.seed, "client sampling", round=round_number)
    chosen = rng.choice(usable, size=min(wanted, len(usable)), replace=False)
    return sorted(chosen.tolist())


def clients_per_round(settings: FederatedSettings) -> int:
    """Return the number of clients that train in a round, at least one."""
    federation = settings.federation
    wanted: int = round(federation.fraction * federation.clients)
    return max(1, wanted)
