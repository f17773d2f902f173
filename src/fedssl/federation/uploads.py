"""Updates on their way to the server: attacks of malicious clients, and the server's clipping.

Both change only tensors that are sent. They return new tensors, because the client keeps its own.
"""

import math
from collections.abc import Collection, Mapping
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from fedssl.aggregators import ClientUpdate
from fedssl.aggregators.base import is_trained
from fedssl.federation.settings import Faults

State = Mapping[str, Tensor]


def attacked(
    update: ClientUpdate,
    model: State,
    faults: Faults,
    *,
    sent: Collection[str],
    noise: np.random.Generator,
) -> ClientUpdate:
    """Return the update that a malicious client sends in place of its own.

    The attack replaces the change d of the parameters. Running statistics, the number of samples
    and the loss are the client's own, because a negative variance would give the attack away.

    Args:
        update: the client's own update.
        model: the global model.
        faults: the attack and its scale.
        sent: names of the tensors that clients send.
        noise: random stream of the Gaussian attack.
    """
    scale = -faults.attack_scale if faults.attack == "sign-flip" else faults.attack_scale
    state = dict(update.state)
    for name in sent:
        if not is_trained(name, before := model[name]):
            continue
        if faults.attack == "gaussian":
            change = torch.from_numpy(noise.standard_normal(tuple(before.shape))).to(before.device)
        else:
            change = state[name].double() - before.double()
        state[name] = (before.double() + scale * change).to(before.dtype)
    return replace(update, state=state)


def update_norm(update: ClientUpdate, received: State) -> float | None:
    """Return the L2 norm of the change of the parameters that a client sends, None if not finite.

    Args:
        update: the client's own update.
        received: the tensors that the server sent to the client, which it sends back.
    """
    # Sorted, because the order of tensors that were read from bytes is one of chance.
    names = sorted(name for name, before in received.items() if is_trained(name, before))
    # In the memory order of the client's own model, which is that of its device, because a sum runs
    # in memory order. A log does not need double precision, which takes longer.
    norms = [torch.linalg.vector_norm(_difference(update.state[n], received[n])) for n in names]
    norm = float(torch.linalg.vector_norm(torch.stack(norms)))
    return norm if math.isfinite(norm) else None


def clipped(
    update: ClientUpdate, model: State, norm: float, *, sent: Collection[str]
) -> tuple[ClientUpdate, float | None]:
    """Return an update whose change has at most an L2 norm, and the factor, or None if unchanged.

    The norm is that of the parameters that are sent, and only they are scaled. Running variances
    are large and would decide the norm alone; as under every rule they are averaged. The tensors
    that a client reports for its aggregator are not clipped.
    """
    names = [name for name in sent if is_trained(name, model[name])]
    squares = (_change(update, model, name).square().sum() for name in names)
    length = math.sqrt(sum(map(float, squares)))
    # Not for NaN either: an update that is not finite is dropped, and the message names the tensor.
    if not length > norm:
        return update, None
    factor = norm / length
    state = dict(update.state)
    for name in names:
        change = state[name].double() - model[name].double()
        state[name] = (model[name].double() + factor * change).to(state[name].dtype)
    return replace(update, state=state), factor


def _difference(after: Tensor, before: Tensor) -> Tensor:
    """Return after - before, in the memory order of `after`."""
    return torch.sub(after, before, out=torch.empty_like(after))


def _change(update: ClientUpdate, model: State, name: str) -> Tensor:
    # Flatten first: a sum runs in memory order, which differs after a resumed training.
    return update.state[name].flatten().double() - model[name].flatten().double()
