"""A cell: one pretraining run, named by its axes."""

import re
from dataclasses import asdict, dataclass, replace
from typing import Any

from fedssl.errors import UserError

# The axes that a study's `cells` list, in the order of a path's segments. A cell also has the
# study before them and the seed after them.
AXES = ("method", "arch", "aggregator", "split", "variant")
ALL_AXES = ("study", *AXES, "seed")
CENTRALISED = "centralised"
RANDOM_INIT = "random-init"
# The folder of a cell, or of a random encoder, in a path of the results tree.
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
            raise UserError(f"{path!r} is no cell; a cell is {FORM}.")
        axes: dict[str, Any] = match.groupdict()
        return cls(**axes | {"seed": int(match["seed"])})

    @classmethod
    def of(cls, wildcards: Any) -> "Cell":
        """Return the cell that a job's wildcards name; their values are text."""
        axes = {axis: getattr(wildcards, axis) for axis in ALL_AXES}
        return cls(**axes | {"seed": int(wildcards.seed)})

    @classmethod
    def pattern(cls) -> "Cell":
        """Return a cell whose axes are Snakemake's wildcards: its paths are a rule's patterns."""
        axes: dict[str, Any] = {axis: f"{{{axis}}}" for axis in ALL_AXES}
        return cls(**axes)

    @property
    def segments(self) -> tuple[str, ...]:
        """The parts of the cell's path, one per axis."""
        return (self.study, *self.axes.values(), f"seed{self.seed}")

    @property
    def path(self) -> str:
        """The cell's folder below `pretrain/` and `evaluate/`."""
        return "/".join(self.segments)

    @property
    def axes(self) -> dict[str, str]:
        """The cell's axes without study and seed, which its other seeds share."""
        return {axis: getattr(self, axis) for axis in AXES}

    @property
    def all_axes(self) -> dict[str, Any]:
        """All axes, study and seed included."""
        return asdict(self)

    @property
    def random_init_path(self) -> str:
        """The folder below `evaluate/` of the random encoder with the cell's arch and variant."""
        seed = self.segments[-1]
        return "/".join((self.study, RANDOM_INIT, self.arch, self.variant, seed))

    @property
    def federated(self) -> bool:
        """Whether clients train it; otherwise all data lies in one place."""
        return self.aggregator != CENTRALISED

    @property
    def checkpoints(self) -> list["Cell"]:
        """The cell itself, or the two specialists that its split joins with a plus."""
        return [replace(self, split=split) for split in self.split.split("+")]
