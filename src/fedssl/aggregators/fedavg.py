"""FedAvg: clients weigh as many as their samples (McMahan et al. 2017; fssuavl section 3.2)."""

from dataclasses import dataclass

from fedssl.aggregators.base import Aggregator


@dataclass(frozen=True)
class FedAvg(Aggregator):
    """The next model is the clients' mean, weighted by their samples, audio and image together."""
