"""Centralised: no federation, all data in one place (the reference column of fassl).

`fedssl.federation.centralised` trains such a cell; this declares its settings.
"""

from dataclasses import dataclass
from typing import ClassVar

from fedssl.aggregators.base import Aggregator
from fedssl.settings import Epochs


@dataclass(frozen=True)
class Centralised(Aggregator):
    """One participant holds all training data."""

    epochs: Epochs = 10
    """Epochs over all data. Decided: 100 rounds of a tenth of the clients also see a sample 10
    times."""

    has_backbone_only: ClassVar[bool] = False
