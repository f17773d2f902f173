"""Combine the clients' models coordinate by coordinate, for rules that need all of them at once."""

import torch
from torch import Tensor

from fedssl.aggregators import ClientUpdate
from fedssl.aggregators.accumulator import Accumulator, cast, update_fault
from fedssl.aggregators.base import Aggregator, CoordinateWise

State = dict[str, Tensor]


class Cohort:
    """The updates of one round, with the interface of an `Accumulator`.

    Its memory is one model per client of the round, and three times the largest tensor of all
    clients together while that tensor is sorted.
    """

    def __init__(self, rule: CoordinateWise, global_state: State) -> None:
        """Start with nothing received."""
        self._rule = rule
        self._global_state = global_state
        self._values: dict[str, list[Tensor]] = {name: [] for name in global_state}
        self._received = False

    def add(self, update: ClientUpdate) -> str | None:
        """Take one update; return why it is dropped instead, or None."""
        if fault := update_fault(update):
            return fault
        self._received = True
        for name, values in self._values.items():
            # Cloned, because the next client trains on the same tensors.
            values.append(update.state[name].detach().clone())
        return None

    def step(self, server: State) -> tuple[State, State]:
        """Return the next global and server state; both are unchanged if no update was usable.

        Call it once, after the last update.
        """
        if not self._received:
            return {name: tensor.clone() for name, tensor in self._global_state.items()}, server
        # One tensor after another, and each is freed before the next one is sorted.
        combined = {name: self._combined(name) for name in self._global_state}
        return self._rule.step(self._global_state, combined, server)

    def _combined(self, name: str) -> Tensor:
        values = torch.stack(self._values.pop(name)).sort(dim=0).values
        return cast(self._rule.combine(values.double()), values.dtype)


def collector(rule: Aggregator, global_state: State) -> Accumulator | Cohort:
    """Return what takes the updates of one round under a rule."""
    if isinstance(rule, CoordinateWise):
        return Cohort(rule, global_state)
    return Accumulator(rule, global_state)
