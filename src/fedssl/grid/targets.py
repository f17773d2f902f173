"""Reject mistyped targets when a run is planned, and suggest the target that was meant."""

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from fedssl.errors import UserError
from fedssl.grid.cell import ALL_AXES, RANDOM_INIT
from fedssl.grid.cells import Grid
from fedssl.grid.configuration import closest
from fedssl.grid.own_studies import PAPERS, own_studies
from fedssl.grid.paired_protocols import SPECIALISTS
from fedssl.grid.paths import ResultPaths


def one_of(values: Iterable[str]) -> str:
    """Return a wildcard pattern that matches exactly the given values."""
    # Without values the pattern must match nothing; an empty pattern would match everything.
    return "|".join(map(re.escape, values)) or "(?!)"


def check_targets(
    targets: Iterable[str], grid: Grid, tree: ResultPaths, *, named: Sequence[str]
) -> None:
    """Raise UserError for an unknown named target, and for a path outside the declared grid."""
    for target in map(str, targets):
        if "/" in target or "." in target:
            _check_path(target, grid, tree)
        elif target not in named:
            hint = _hint(target, grid, named)
            listed = f"; there are {', '.join(named)}, and every file of the results tree by path"
            raise UserError(f"there is no target {target!r}{hint or listed}.")


def _hint(target: str, grid: Grid, named: Sequence[str]) -> str:
    if target.startswith(PAPERS) and (own := own_studies(grid.config)):
        return f", because the configuration has a study of its own, {own[0]}, and so no paper's"
    return closest(target, named)


def check_products(
    targets: Iterable[str], products: Sequence[Any], *, places: Mapping[str, str], files: list[str]
) -> None:
    """Raise UserError for a path that no rule makes.

    Args:
        targets: the targets of the command line.
        products: the outputs of all rules, as Snakemake's patterns.
        places: folders that the run writes to, by the setting of each.
        files: paths of tables and figures.
    """
    for target in map(str, targets):
        is_path = "/" in target or "." in target
        if is_path and not any(product.match(target) for product in products):
            raise UserError(
                f"no rule makes {target}{_elsewhere(target, places)}"
                f"{_nearest(target, products, files)}."
            )


def _elsewhere(target: str, places: Mapping[str, str]) -> str:
    """Return a hint on where this run writes, for a target that is outside."""
    if any(Path(target).is_relative_to(place) for place in places.values()):
        return ""
    for key, place in places.items():
        if Path(target).is_relative_to(Path(place).absolute()):
            inside = Path(target).relative_to(Path(place).absolute())
            return f", because {key} is {place}: name it {Path(place, inside)}"
    return "; this run writes to " + ", ".join(f"{v} ({key})" for key, v in places.items())


def _nearest(target: str, products: Sequence[Any], files: Iterable[str]) -> str:
    """Return a hint on the files that rules make in the folder of the target."""
    folder, _, name = target.rpartition("/")
    names = {path.rpartition("/")[2] for path in (*map(str, products), *files)}
    here = sorted(n for n in names if any(p.match(f"{folder}/{n}") for p in products))
    return f"{closest(name, here)}; that folder has {', '.join(here)}" if here else ""


def _check_path(target: str, grid: Grid, tree: ResultPaths) -> None:
    for stage in ("pretrain", "evaluate", "maps"):
        prefix = f"{tree.results}/{stage}/"
        if target.startswith(prefix):
            _check_segments(target, target.removeprefix(prefix).split("/"), grid)


def _check_segments(target: str, segments: Sequence[str], grid: Grid) -> None:
    if segments[1:2] == [RANDOM_INIT]:
        return
    below = [cell.segments for cell in grid.cells]
    for place, (axis, value) in enumerate(zip(ALL_AXES, segments, strict=False)):
        declared = sorted({cell[place] for cell in below})
        if value == SPECIALISTS and set(value.split("+")) <= set(declared):
            value, _ = value.split("+")  # both specialists have the same remaining segments
        if value not in declared:
            raise UserError(
                f"target {target}: {value!r} is no declared {axis}{closest(value, declared)}; "
                f"below {'/'.join(below[0][:place]) or 'the grid'} there are {', '.join(declared)}."
            )
        below = [cell for cell in below if cell[place] == value]
