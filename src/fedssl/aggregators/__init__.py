"""Aggregators: which weight a client's model gets in the server's average.

Every rule is fssuavl equation 3, w = sum_q beta_q w_q; a rule's module only says beta.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor

    from fedssl.aggregators.accumulator import Rule

    State = dict[str, Tensor]


@dataclass(frozen=True)
class ClientUpdate:
    """What a client sends back: its state, its number of samples and its mean training loss."""

    state: "State"
    num_samples: int
    loss: float


def module_name(aggregator: str) -> str:
    """Return the module of a rule: l-dawa and l-dawa-bb -> fedssl.aggregators.l_dawa."""
    return f"fedssl.aggregators.{aggregator.removesuffix('-bb').replace('-', '_')}"


def get_rule(name: str, **settings: Any) -> "Rule":
    """Return the rule that weighs one update, for the streaming accumulator."""
    rule: Rule = partial(import_module(module_name(name)).weigh, **settings)
    return rule


def get_aggregator(name: str) -> "Callable[[State, Iterable[ClientUpdate]], State]":
    """Return the pure function (global_state, updates) -> new global state of a rule.

    `updates` may be a generator: one client's state is held at a time. With no usable update the
    result equals `global_state`.
    """
    rule = get_rule(name)

    def aggregate(global_state: "State", updates: Iterable[ClientUpdate]) -> "State":
        accumulator = import_module("fedssl.aggregators.accumulator").Accumulator(
            global_state, rule
        )
        for update in updates:
            accumulator.add(update)
        result: State = accumulator.result()
        return result

    return aggregate
