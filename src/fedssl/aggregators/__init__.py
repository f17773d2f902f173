"""Aggregators: rules by which a server combines the clients' models into its next model.

Start with `base.py`: an aggregator is a frozen dataclass whose fields are its settings, with pure
functions over an explicit server state. Every average is fssuavl equation 3, w = sum_q beta_q w_q,
computed by `accumulator.py`. Rules such as the median see all values of a coordinate (`cohort.py`).
To add an aggregator, write one module here with one subclass of `Aggregator`. Its name is the name
in the configuration, with underscores for hyphens. `fedavgm.py` is a short example. The `-bb` form,
which sends the backbone only, needs no code.

Rules do not import torch at load time, because planning a run reads their settings. This package
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

# Modules of this package that are not rules.
_SHARED = ("__init__", "accumulator", "base", "cohort")


@dataclass(frozen=True)
class ClientUpdate:
    """The update that a client sends to the server.

    Attributes:
        state: its model after local training.
        num_samples: number of samples it trained on, of both modalities together.
        loss: mean loss over the steps of the round.
        report: other tensors for the aggregator, averaged like the model.
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
    """Return the class of a rule, which declares its settings; raise ImportError if unknown."""
    return only_subclass(
        module_name(aggregator), import_module("fedssl.aggregators.base").Aggregator
    )


def declared(aggregator: str) -> "type[Aggregator]":
    """Return the class whose fields are a rule's settings, `-bb` or not."""
    return rule_class(aggregator)


def build(name: str, **settings: Any) -> "Aggregator":
    """Return a rule by its name, with or without `-bb`; settings not given have defaults."""
    return rule_class(name)(**settings)


def names() -> list[str]:
    """Return the names of all aggregators, sorted: each rule and its `-bb` form."""
    # The folder is the registry, so no list can be forgotten.
    files = Path(__file__).parent.glob("*.py")
    rules = [file.stem.replace("_", "-") for file in files if file.stem not in _SHARED]
    sparing = [backbone_only(rule) for rule in rules if rule_class(rule).has_backbone_only]
    return sorted([*rules, *sparing])


def get_aggregator(name: str) -> "Callable[[State, Iterable[ClientUpdate]], State]":
    """Return the pure function (global_state, updates) -> next global state of a rule.

    It applies the rule once, with default settings and a fresh server state. `updates` may be a
    generator, because most rules hold one client's state at a time. Without a usable update, the
    function returns a copy of `global_state`.
    """
    rule = build(name)

    def aggregate(global_state: "State", updates: Iterable[ClientUpdate]) -> "State":
        collected = import_module("fedssl.aggregators.cohort").collector(rule, global_state)
        for update in updates:
            collected.add(update)
        state: State = collected.step(rule.init(global_state))[0]
        return state

    return aggregate
