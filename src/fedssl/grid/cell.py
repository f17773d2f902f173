"""A cell: one pretraining run, named by its axes."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

# The axes that a study's `cells` list, in the order of a path's segments. A cell also has the
# study before them and the seed after them.
AXES = ("method", "arch", "aggregator", "split", "variant")
ALL_AXES = ("study", *AXES, "seed")
CENTRALISED = "centralised"
RANDOM_INIT = "random-init"


@dataclass(frozen=True)
class Cell:
    """One pretraining run: a point of the grid."""

    study: str
    method: str
    arch: str
    aggregator: str
    split: str
    variant: str
    seed: int

    @classmethod
    def of(cls, axes: Mapping[str, Any]) -> "Cell":
        """Return the cell that `axes` name; other keys are ignored, and the seed may be text."""
        return cls(**{axis: axes[axis] for axis in ALL_AXES} | {"seed": int(axes["seed"])})

    @property
    def path(self) -> str:
        """The cell's folder below `pretrain/` and `evaluate/`."""
        axes = (self.study, *(getattr(self, axis) for axis in AXES))
        return "/".join((*axes, f"seed{self.seed}"))

    @property
    def axes(self) -> dict[str, str]:
        """The cell's axes without study and seed, which its other seeds share."""
        return {axis: getattr(self, axis) for axis in AXES}

    @property
    def all_axes(self) -> dict[str, Any]:
        """All axes, study and seed included."""
        return asdict(self)

    @property
    def federated(self) -> bool:
        """Whether clients train it; otherwise all data lies in one place."""
        return self.aggregator != CENTRALISED

    @property
    def checkpoints(self) -> list["Cell"]:
        """The cell itself, or the two specialists that its split joins with a plus."""
        return [replace(self, split=split) for split in self.split.split("+")]
