"""FedU: FedAvg on the server; a client that drifted far keeps its head (Zhuang et al. 2021)."""

import torch

from fedssl.aggregators.accumulator import State
from fedssl.aggregators.fedavg import weigh

__all__ = ["drift", "weigh"]


def drift(before: State, after: State) -> float:
    """Return how far local training moved the backbone: the mean L2 distance of its weights.

    Over the convolutions' weights; where there are none (ViT), over all of two dimensions or more.
    """
    weights = [name for name in before if "conv" in name and name.endswith("weight")]
    if not weights:
        weights = [n for n, t in before.items() if n.startswith("backbone.") and t.ndim >= 2]
    # Flat, because a norm sums in the order of memory, which is not the same in every layout.
    moved = [(after[name].double() - before[name].double()).flatten() for name in weights]
    distances = [change.norm() for change in moved]
    return float(torch.stack(distances).mean())
