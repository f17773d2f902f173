"""The suffix `-bb` of an aggregator's name: clients of `fedavg-bb` send the backbone only.

No other module reads the suffix.
"""

from collections.abc import Mapping
from typing import Any, Literal

Transmit = Literal["all", "backbone"]
_SUFFIX = "-bb"


def parse_name(aggregator: str) -> tuple[str, Transmit]:
    """Return the rule and the parts that clients send: l-dawa-bb -> (l-dawa, backbone)."""
    rule = aggregator.removesuffix(_SUFFIX)
    return rule, "all" if rule == aggregator else "backbone"


def backbone_only(rule: str) -> str:
    """Return the name of a rule whose clients send the backbone only."""
    return rule + _SUFFIX


def declared_settings(declared: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Return the settings of a name in a section such as `aggregators`.

    A `-bb` name has the settings of its rule, overridden by its own.
    """
    rule, _ = parse_name(name)
    return {**declared[rule], **declared.get(name, {})}
