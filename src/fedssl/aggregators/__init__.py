"""Aggregators: how a server makes its next model of the models that clients send back.

Start with `base.py`: an aggregator is a frozen dataclass whose fields are its settings, with pure
functions over an explicit server state. Every average is fssuavl equation 3, w = sum_q beta_q w_q,
computed by `accumulator.py`. To add an aggregator, write one module here, named as in the
configuration with underscores for hyphens, with one subclass of `Aggregator`; `fedavgm.py` is a
short model. Its `-bb` form, which sends the backbone only, needs no code.

Rules do not import torch when they are loaded: planning a run reads their settings. This package
may import `fedssl.grid` and `fedssl.settings`.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fedssl.grid.transmission import backbone_only, parse_name
from fedssl.lookup import only_subclass

if TYPE_CHECKING:
    from torch import Tensor

    from fedssl.aggregators.base import Aggregator

    State = dict[str, Tensor]

# The modules of this package that hold no rule.
_SHARED = ("__init__", "accumulator", "base")


@dataclass(frozen=True)
class ClientUpdate:
    """What a client sends back.

    Attributes:
        state: its model after local training.
        num_samples: the samples it trained on, of both modalities together.
        loss: mean loss over the steps of the round.
        report: tensors that its aggregator asked for on top, averaged like the model.
    """

    state: "State"
    num_samples: int
    loss: float
    report: "Mapping[str, Tensor]" = field(default_factory=dict)


def module_name(aggregator: str) -> str:
    """Return the module of a rule: l-dawa and l-dawa-bb -> fedssl.aggregators.l_dawa."""
    rule, _ = parse_name(aggregator)
    return f"fedssl.aggregators.{rule.replace('-', '_')}"


def rule_class(aggregator: str) -> "type[Aggregator]":
    """Return the class of a rule, which declares its settings; ImportError if there is none."""
    return only_subclass(
        module_name(aggregator), import_module("fedssl.aggregators.base").Aggregator
    )


def declared(aggregator: str) -> "type[Aggregator]":
    """Return the class whose fields are a rule's settings, `-bb` or not."""
    return rule_class(aggregator)


def build(name: str, **settings: Any) -> "Aggregator":
    """Return the rule of a name, `-bb` or not, with its settings; defaults for those not given."""
    return rule_class(name)(**settings)


def names() -> list[str]:
    """Return all names an aggregator can have, sorted: each rule's, and its `-bb` form."""
    # The folder is the registry, so no list can be forgotten.
    files = Path(__file__).parent.glob("*.py")
    rules = [file.stem.replace("_", "-") for file in files if file.stem not in _SHARED]
    sparing = [backbone_only(rule) for rule in rules if rule_class(rule).has_backbone_only]
    return sorted([*rules, *sparing])


def get_aggregator(name: str) -> "Callable[[State, Iterable[ClientUpdate]], State]":
    """Return the pure function (global_state, updates) -> next global state of a rule.

    It applies the rule once, with its default settings, from a fresh server state. `updates` may
    be a generator: one client's state is held at a time. With no usable update the result equals
    `global_state`.
    """
    rule = build(name)

    def aggregate(global_state: "State", updates: Iterable[ClientUpdate]) -> "State":
        accumulator = import_module("fedssl.aggregators.accumulator").Accumulator(
            rule, global_state
        )
        for update in updates:
            accumulator.add(update)
        state: State = accumulator.step(rule.init(global_state))[0]
        return state

    return aggregate
