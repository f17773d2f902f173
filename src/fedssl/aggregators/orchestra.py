"""Orchestra's server: FedAvg, and clusters of the clients' clusters (Lubana et al. 2022)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from fedssl.aggregators.base import EACH, Aggregator, Visit
from fedssl.settings import Count, LearningRate, Temperature

if TYPE_CHECKING:
    from fedssl.aggregators.base import State

_CENTRES = "local_centroids"


@dataclass(frozen=True)
class Orchestra(Aggregator):
    """FedAvg of the models; the global clusters are fitted to the clients' local ones.

    The clusters are part of the model, and the method `orchestra` uses them.
    """

    temperature: Temperature = 0.1
    """Temperature of the assignments to global clusters. Stated by the authors' code."""

    steps: Count = 500
    """Steps of the fit in each round. Stated by the authors' code."""

    lr: LearningRate = 0.01
    """Learning rate of the fit. Stated by the authors' code."""

    # The clusters are of embeddings, which a head of one's own would make incomparable.
    has_backbone_only: ClassVar[bool] = False
    needs: ClassVar[Mapping[str, str]] = {"method": "orchestra"}

    def finish(self, visit: Visit, trained: "State", *, reach: float) -> tuple["State", "State"]:
        """Report the centres of the client's clusters, each client's for itself."""
        return {EACH + _CENTRES: trained[_CENTRES].detach().clone()}, {}

    def step(
        self, global_state: "State", average: "State", server: "State"
    ) -> tuple["State", "State"]:
        """Return the average, with clusters fitted to those of all clients, one round older."""
        from fedssl.methods.clusters import global_clusters

        model = {name: average[name] for name in global_state}
        model["rounds"] = global_state["rounds"] + 1
        model["centroids"] = global_clusters(
            average[EACH + _CENTRES].flatten(0, 1),
            global_state["centroids"],
            temperature=self.temperature,
            steps=self.steps,
            lr=self.lr,
        )
        return model, server
