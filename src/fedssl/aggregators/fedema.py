"""FedEMA: clients start from a mixture of their own and the global model (Zhuang et al. 2022)."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

from fedssl.aggregators.base import Aggregator, Visit, is_trained
from fedssl.aggregators.fedu import drift
from fedssl.settings import InnerShare

if TYPE_CHECKING:
    from torch import Tensor

    from fedssl.aggregators.base import State, Tensors

_OWN = "own/"
_SCALE = "scale"
_DRIFT = "drift"


@dataclass(frozen=True)
class FedEMA(Aggregator):
    """FedAvg on the server; a client starts from mu_k w_k + (1 - mu_k) w (equations 3 to 5).

    w_k is the client's model after its last round and w the global one. mu_k = min(1, lambda_k d),
    with d the mean L2 distance between the convolutions of w_k and w, and lambda_k such that mu_k
    is `tau` the first time. Backbone, head and predictor mix with the same mu_k. Running statistics
    of batch norm are the global ones. A client's first round starts from the global model.
    """

    tau: InnerShare = 0.7
    """Share of its own model with which a client starts its second round. Stated by the authors'
    command for FedEMA."""

    distance: Literal["global", "local"] = "global"
    """What d measures: how far the global model is from the client's (`global`, equation 4), or how
    far the client moved in its last local training (`local`, the authors' code)."""

    # A client's own backbone is part of the mixture.
    has_backbone_only: ClassVar[bool] = False
    kept_models: ClassVar[int] = 1

    def start(self, global_state: "State", kept: "Tensors") -> "State":
        """Return the mixture of the client's own model and the global one."""
        if not (own := _own(kept)):
            return global_state
        share = self._share(global_state, kept, own)
        return {
            name: share * own[name] + (1.0 - share) * t if name in own else t
            for name, t in global_state.items()
        }

    def finish(self, visit: Visit, trained: "State", *, reach: float) -> tuple["State", "State"]:
        """Keep the trained parameters, and what `start` needs to weigh them."""
        kept = {
            _OWN + name: trained[name].detach().clone()
            for name, tensor in visit.received.items()
            if is_trained(name, tensor)
        }
        moved = drift(visit.received, trained)
        if self.distance == "local":
            scale = visit.kept.get(_SCALE, self.tau / moved)
            return {}, {**kept, _SCALE: scale, _DRIFT: moved}
        if _SCALE in visit.kept:
            kept[_SCALE] = visit.kept[_SCALE]
        elif own := _own(visit.kept):
            # The second round started from m = tau w_k + (1 - tau) w, so the distance of w from w_k
            # is that of m divided by 1 - tau.
            kept[_SCALE] = self.tau * (1.0 - self.tau) / drift(own, visit.received)
        return {}, kept

    def _share(self, global_state: "Tensors", kept: "Tensors", own: "Tensors") -> float:
        """Return mu_k."""
        if _SCALE not in kept:
            return self.tau
        distance = kept[_DRIFT] if self.distance == "local" else drift(own, global_state)
        # A client that has not moved at all has no scale: 0.7 / 0 is infinite, and times 0 is NaN.
        share = float(kept[_SCALE] * distance)
        return min(1.0, share) if share == share else self.tau


def _own(kept: "Tensors") -> "dict[str, Tensor]":
    return {n.removeprefix(_OWN): tensor for n, tensor in kept.items() if n.startswith(_OWN)}
