"""FedAvg: clients are weighted by their samples (McMahan et al. 2017; fssuavl section 3.2)."""

from dataclasses import dataclass

from fedssl.aggregators.base import Aggregator


@dataclass(frozen=True)
class FedAvg(Aggregator):
    """The next model is the mean of the clients' models, weighted by their numbers of samples.

    Samples of both modalities count alike.
    """
