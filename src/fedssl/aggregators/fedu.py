"""FedU: FedAvg on the server; a client that drifted far keeps its head (Zhuang et al. 2021)."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from fedssl.aggregators.base import Aggregator, Visit
from fedssl.settings import NonNegative

if TYPE_CHECKING:
    from torch import Tensor

    from fedssl.aggregators.base import State, Tensors

_DRIFT = "drift"


@dataclass(frozen=True)
class FedU(Aggregator):
    """FedAvg, but a client whose backbone drifted by `mu` or more goes on with its own head."""

    mu: NonNegative = 0.4
    """Drift of the backbone from which on a client keeps its head. Decided: FedU's code."""

    # It decides about heads itself.
    has_backbone_only: ClassVar[bool] = False

    def start(self, global_state: "State", kept: "Tensors") -> "State":
        """Return the global model, with the client's own head if it drifted far."""
        # `<` takes the global head, as FedU's code does: a drift of exactly `mu` is far.
        if _DRIFT not in kept or float(kept[_DRIFT]) < self.mu:
            return global_state
        return {**global_state, **{n: t for n, t in kept.items() if n != _DRIFT}}

    def finish(self, visit: Visit, trained: "State", *, reach: float) -> tuple["State", "State"]:
        """Keep the head, and how far the backbone moved."""
        head = {name: t.detach().clone() for name, t in trained.items() if name.startswith("head.")}
        return {}, {**head, _DRIFT: drift(visit.received, trained)}


def drift(before: "Tensors", after: "Tensors") -> "Tensor":
    """Return how far local training moved the backbone: the mean L2 distance of its weights.

    A float64 scalar. Over the convolutions' weights; where there are none (ViT), over all of two
    dimensions or more.
    """
    weights = [name for name in after if "conv" in name and name.endswith("weight")]
    if not weights:
        weights = [n for n, t in after.items() if n.startswith("backbone.") and t.ndim >= 2]
    # Flat, because a norm sums in the order of memory, which is not the same in every layout.
    moved = [(after[name].double() - before[name].double()).flatten() for name in weights]
    distances = [change.norm() for change in moved]
    mean: Tensor = distances[0].new_tensor([float(d) for d in distances]).mean()
    return mean
