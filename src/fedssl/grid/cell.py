"""A cell: one pretraining run, identified by its axes."""

import re
from dataclasses import asdict, dataclass, replace
from typing import Any

from fedssl.errors import UserError

# The axes that a study lists in `cells`, in the order of the segments of a path. In a path, the
# study comes before them and the seed after them.
AXES = ("method", "arch", "aggregator", "split", "variant")
ALL_AXES = ("study", *AXES, "seed")
CENTRALISED = "centralised"
RANDOM_INIT = "random-init"
# Pattern of the folder of a cell, or of a random encoder, in a path of the results tree.
FOLDER = r"[^/]+(?:/[^/]+)+?/seed\d+"
FORM = "/".join((*(f"<{axis}>" for axis in ALL_AXES[:-1]), "seed<n>"))
_PATH = re.compile("/".join(f"(?P<{axis}>[^/]+)" for axis in ALL_AXES[:-1]) + r"/seed(?P<seed>\d+)")


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
    def parse(cls, path: str) -> "Cell":
        """Return the cell of a path `study/method/arch/aggregator/split/variant/seed<n>`.

        Raises:
            UserError: The path has other segments.
        """
        match = _PATH.fullmatch(path)
        if match is None:
            raise UserError(f"{path!r} is not a cell; the form of a cell is {FORM}.")
        axes: dict[str, Any] = match.groupdict()
        return cls(**axes | {"seed": int(match["seed"])})

    @classmethod
    def of(cls, wildcards: Any) -> "Cell":
        """Return the cell of a job's wildcards, whose values are text."""
        axes = {axis: getattr(wildcards, axis) for axis in ALL_AXES}
        return cls(**axes | {"seed": int(wildcards.seed)})

    @classmethod
    def pattern(cls) -> "Cell":
        """Return a cell whose axes are wildcards, so that its paths are the patterns of rules."""
        axes: dict[str, Any] = {axis: f"{{{axis}}}" for axis in ALL_AXES}
        return cls(**axes)

    @property
    def segments(self) -> tuple[str, ...]:
        """The segments of the cell's path, one per axis."""
        return (self.study, *self.axes.values(), f"seed{self.seed}")

    @property
    def path(self) -> str:
        """The cell's folder below `pretrain/` and `evaluate/`."""
        return "/".join(self.segments)

    @property
    def axes(self) -> dict[str, str]:
        """The axes without study and seed; all seeds of a cell share them."""
        return {axis: getattr(self, axis) for axis in AXES}

    @property
    def all_axes(self) -> dict[str, Any]:
        """All axes, including study and seed."""
        return asdict(self)

    @property
    def random_init_path(self) -> str:
        """The folder below `evaluate/` of the random encoder with this arch, variant and seed."""
        seed = self.segments[-1]
        return "/".join((self.study, RANDOM_INIT, self.arch, self.variant, seed))

    @property
    def federated(self) -> bool:
        """Whether clients train the cell; otherwise it is trained on all data in one place."""
        return self.aggregator != CENTRALISED

    @property
    def checkpoints(self) -> list["Cell"]:
        """The cell itself, or two specialists if its split joins theirs with a plus."""
        return [replace(self, split=split) for split in self.split.split("+")]
