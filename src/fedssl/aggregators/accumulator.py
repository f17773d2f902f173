"""Sum the clients' models one at a time, in float64 and in client order."""

import math
from collections.abc import Mapping

import torch
from torch import Tensor

from fedssl.aggregators import ClientUpdate
from fedssl.aggregators.base import EACH, Aggregator

State = dict[str, Tensor]


class Accumulator:
    """The weighted average of one round; its memory does not grow with the number of clients."""

    def __init__(self, rule: Aggregator, global_state: State) -> None:
        """Start with nothing received."""
        self._rule = rule
        self._global_state = global_state
        # In float64, because a float32 sum over many clients loses small contributions.
        self._sums = {
            name: torch.zeros_like(tensor, dtype=torch.float64)
            for name, tensor in global_state.items()
        }
        self._dtypes = {name: tensor.dtype for name, tensor in global_state.items()}
        self._each: dict[str, list[Tensor]] = {}
        self._mass = 0.0
        self._log_scale = -math.inf

    def add(self, update: ClientUpdate) -> str | None:
        """Take one update; return why it is dropped instead, or None."""
        # A diverged client would make every parameter of the global model NaN.
        if fault := update_fault(update):
            return fault
        weight = self._rule.weight(self._global_state, update)
        averaged = {n: t for n, t in update.report.items() if not n.startswith(EACH)}
        for name in update.report.keys() - averaged.keys():
            self._each.setdefault(name, []).append(update.report[name])
        self._make_room(averaged)
        # The softmax runs over clients not all known yet: keep the largest exponent at 0.
        self._rescale(max(self._log_scale, weight.log_mass))
        scaled = weight.mass * math.exp(weight.log_mass - self._log_scale)
        self._mass += scaled
        sent = {**update.state, **averaged}
        for name, total in self._sums.items():
            total.add_(sent[name], alpha=scaled * weight.factors.get(name, 1.0))
        return None

    def average(self) -> State:
        """Return the weighted mean, each tensor in its own type; integers are rounded.

        Call it after the last update, because it divides the sums in place.
        """
        # A new tensor costs more time than the division, because its memory is new to the process.
        mass, self._mass = self._mass, 1.0
        return {
            name: cast(total.div_(mass), self._dtypes[name]) for name, total in self._sums.items()
        }

    def step(self, server: State) -> tuple[State, State]:
        """Return the next global and server state; both are unchanged if no update was usable."""
        if self._mass == 0.0:
            return {name: tensor.clone() for name, tensor in self._global_state.items()}, server
        each = {name: torch.stack(tensors) for name, tensors in self._each.items()}
        return self._rule.step(self._global_state, {**self.average(), **each}, server)

    def _make_room(self, report: Mapping[str, Tensor]) -> None:
        for name in report.keys() - self._sums.keys():
            self._sums[name] = torch.zeros_like(report[name], dtype=torch.float64)
            self._dtypes[name] = report[name].dtype

    def _rescale(self, log_scale: float) -> None:
        if log_scale == self._log_scale:
            return
        ratio = math.exp(self._log_scale - log_scale)
        self._mass *= ratio
        # The first update has no sums to rescale, and exp(-inf) = 0 would only cost time.
        if ratio > 0.0:
            for total in self._sums.values():
                total.mul_(ratio)
        self._log_scale = log_scale


def update_fault(update: ClientUpdate) -> str | None:
    """Return why an update cannot be used, or None."""
    if update.num_samples == 0:
        return "it has no samples"
    if not math.isfinite(update.loss):
        return f"its mean loss is {update.loss}"
    name = first_not_finite({**update.state, **update.report})
    return f"{name} is not finite after training" if name else None


def first_not_finite(state: Mapping[str, Tensor]) -> str | None:
    """Return the name of the first tensor with a NaN or an infinity, or None."""
    # A finite sum has finite terms, and takes a tenth of the time of a test of each term. The sum
    # of large finite terms can overflow, so only a sum that is not finite needs that test.
    floating = ((name, t) for name, t in state.items() if t.is_floating_point())
    return next((name for name, t in floating if not (_finite(t.sum()) or _finite(t))), None)


def _finite(tensor: Tensor) -> bool:
    return bool(tensor.isfinite().all())


def cast(mean: Tensor, dtype: torch.dtype) -> Tensor:
    """Return a mean in the type of a tensor; integers are rounded."""
    return mean.to(dtype) if dtype.is_floating_point else mean.round().to(dtype)
