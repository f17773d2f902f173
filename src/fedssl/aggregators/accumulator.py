"""The one place where client models are summed: streaming, in float64, in client order."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor

from fedssl.aggregators import ClientUpdate

State = dict[str, Tensor]


@dataclass(frozen=True)
class Weight:
    """The weight of one update: mass * exp(log_mass), divided in the end by the clients' sum.

    `log_mass` keeps a softmax finite: only differences between clients count. `factors` multiply
    single tensors on top and do not enter the sum.
    """

    mass: float = 1.0
    log_mass: float = 0.0
    factors: Mapping[str, float] = field(default_factory=dict)


Rule = Callable[[State, ClientUpdate], Weight]


class Accumulator:
    """A weighted mean that sees one client at a time; memory does not grow with their number."""

    def __init__(self, global_state: State, rule: Rule) -> None:
        """Start with nothing received."""
        self._global_state = global_state
        self._rule = rule
        self._sums = {
            name: torch.zeros_like(tensor, dtype=torch.float64)
            for name, tensor in global_state.items()
        }
        self._mass = 0.0
        self._log_scale = -math.inf

    def add(self, update: ClientUpdate) -> bool:
        """Take one update; return False if it was left out for being empty or not finite."""
        if update.num_samples == 0 or not _is_finite(update):
            return False
        weight = self._rule(self._global_state, update)
        self._rescale(max(self._log_scale, weight.log_mass))
        scaled = weight.mass * math.exp(weight.log_mass - self._log_scale)
        self._mass += scaled
        for name, total in self._sums.items():
            total.add_(update.state[name], alpha=scaled * weight.factors.get(name, 1.0))
        return True

    def result(self) -> State:
        """Return the new global state, each tensor in its own type; integers are rounded."""
        if self._mass == 0.0:
            return {name: tensor.clone() for name, tensor in self._global_state.items()}
        return {
            name: _cast(total / self._mass, self._global_state[name].dtype)
            for name, total in self._sums.items()
        }

    def _rescale(self, log_scale: float) -> None:
        if log_scale == self._log_scale:
            return
        ratio = math.exp(self._log_scale - log_scale)
        self._mass *= ratio
        if ratio > 0.0:
            for total in self._sums.values():
                total.mul_(ratio)
        self._log_scale = log_scale


def _is_finite(update: ClientUpdate) -> bool:
    tensors = (tensor for tensor in update.state.values() if tensor.is_floating_point())
    return math.isfinite(update.loss) and all(bool(t.isfinite().all()) for t in tensors)


def _cast(mean: Tensor, dtype: torch.dtype) -> Tensor:
    return mean.to(dtype) if dtype.is_floating_point else mean.round().to(dtype)
