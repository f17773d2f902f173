"""FedU: FedAvg, and a client whose backbone drifts far keeps its predictor (Zhuang et al. 2021)."""

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
    """FedAvg, but a client whose backbone drifted by `mu` or more keeps its own predictor.

    Zhuang et al. train by BYOL, whose predictor is averaged if its setting `predictor` says so.
    SimCLR, Barlow Twins and ACOP have no predictor. Decided: the rule then applies to the head.
    """

    mu: NonNegative = 0.4
    """Smallest drift of the backbone with which a client keeps its own. Decided: FedU's code."""

    # The rule itself decides which part a client keeps.
    has_backbone_only: ClassVar[bool] = False

    def start(self, global_state: "State", kept: "Tensors") -> "State":
        """Return the global model, with the client's own predictor if it drifted far."""
        # Strictly less, as in FedU's code: a client with a drift of exactly `mu` keeps its own.
        if _DRIFT not in kept or float(kept[_DRIFT]) < self.mu:
            return global_state
        return {**global_state, **{n: t for n, t in kept.items() if n != _DRIFT}}

    def finish(self, visit: Visit, trained: "State", *, reach: float) -> tuple["State", "State"]:
        """Keep the predictor, or else the head, and the drift of the backbone."""
        part = "predictor." if any(name.startswith("predictor.") for name in trained) else "head."
        own = {name: t.detach().clone() for name, t in trained.items() if name.startswith(part)}
        return {}, {**own, _DRIFT: drift(visit.received, trained)}


def drift(before: "Tensors", after: "Tensors") -> "Tensor":
    """Return the drift of the backbone in local training: the mean L2 distance of its weights.

    A float64 scalar. It covers the weights of convolutions; without any (ViT), all weights with
    two or more dimensions.
    """
    # Sorted, because the order of tensors that were read from bytes is one of chance, and the last
    # bit of the mean depends on it.
    backbone = {name: after[name] for name in sorted(before) if name.startswith("backbone.")}
    weights = [name for name in backbone if "conv" in name and name.endswith("weight")]
    if not weights:
        weights = [name for name, tensor in backbone.items() if tensor.ndim >= 2]
    # Flatten first: a norm sums in memory order, which differs between layouts.
    moved = [(after[name].double() - before[name].double()).flatten() for name in weights]
    distances = [change.norm() for change in moved]
    mean: Tensor = distances[0].new_tensor([float(d) for d in distances]).mean()
    return mean
