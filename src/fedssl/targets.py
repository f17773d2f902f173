"""A mistyped target, caught before anything else, with the word that was meant."""

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from snakemake.cli import get_argument_parser

from fedssl.configuration import closest
from fedssl.errors import UserError
from fedssl.experiments import Grid
from fedssl.paired_protocols import SPECIALISTS
from fedssl.paths import Tree

_SEGMENTS = ("study", "method", "arch", "aggregator", "split", "variant", "seed")


def one_of(values: Iterable[str]) -> str:
    """Return a wildcard's pattern: exactly the given values, or nothing at all."""
    return "|".join(map(re.escape, values)) or "(?!)"


def command_line_targets(arguments: Sequence[str]) -> list[str]:
    """Return the targets in a `snakemake` command line; none for the jobs it starts itself."""
    if Path(arguments[0]).name != "snakemake":
        return []
    parsed, _ = get_argument_parser().parse_known_args(arguments[1:])
    return sorted(parsed.targets)


def check_targets(targets: Iterable[str], grid: Grid, tree: Tree, *, named: Sequence[str]) -> None:
    """Raise UserError for a target that is no name and a path outside the declared grid.

    Paths that lie elsewhere are left to Snakemake.
    """
    for target in map(str, targets):
        if "/" in target or "." in target:
            _check_path(target, grid, tree)
        elif target not in named:
            hint = closest(target, named)
            raise UserError(
                f"there is no target {target!r}{hint}; there are {', '.join(named)}, "
                "and every file of the results tree by its path."
            )


def _check_path(target: str, grid: Grid, tree: Tree) -> None:
    for stage in ("pretrain", "evaluate", "maps"):
        prefix = f"{tree.results}/{stage}/"
        if target.startswith(prefix):
            _check_segments(target, target.removeprefix(prefix).split("/"), grid)


def _check_segments(target: str, segments: Sequence[str], grid: Grid) -> None:
    if segments[1:2] == ["random-init"]:
        return
    chosen: dict[str, str | int] = {}
    for axis, value in zip(_SEGMENTS, segments, strict=False):
        declared = sorted({_text(axis, getattr(cell, axis)) for cell in grid.select(**chosen)})
        if value == SPECIALISTS and set(value.split("+")) <= set(declared):
            value, _ = value.split("+")  # the rest of the path is that of either
        if value not in declared:
            raise UserError(
                f"target {target}: {value!r} is no declared {axis}{closest(value, declared)}; "
                f"below {'/'.join(map(str, chosen.values())) or 'the grid'} there are "
                f"{', '.join(declared)}."
            )
        chosen[axis] = int(value.removeprefix("seed")) if axis == "seed" else value


def _text(axis: str, value: str | int) -> str:
    return f"seed{value}" if axis == "seed" else str(value)
