"""Predict the verdicts of a run from simulated runs of the papers' tables."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import sqrt
from pathlib import Path
from statistics import fmean

import numpy as np

from fedssl.grid.plan import Plan
from fedssl.paper.seeds import read_seeds, seeds_of
from fedssl.paper.simulated_runs import (
    MARGINAL,
    PrintedTables,
    judged,
    simulated_run,
    single_runs,
    true_margin,
)
from fedssl.paper.verdict import Verdict
from fedssl.paper.verdicts.cell_verdict import prediction_half_width, seeds_for_width
from fedssl.paper.verdicts.claim_test import FAILS, HOLDS
from fedssl.paper.verdicts.power import Scatter, TrueCell, claim_power
from fedssl.paper.verdicts.seed_spread import Group, Series, Spread, pooled_spreads

TABLE_RUNS, CLAIM_RUNS = 10, 50
_SHOWN = (Verdict.REPRODUCED, Verdict.DIFFERS, Verdict.INCONCLUSIVE)
DECIDED = 0.8  # share of runs from which on a claim counts as decided


@dataclass(frozen=True)
class ExpectedTable:
    """The expected verdicts on the numbers of a table.

    `widths` are the narrowest and the widest prediction interval in points, None for one seed.
    `seeds_needed` makes the widest no wider than the resolution; None if 1,000 seeds do not. The
    shares are of numbers that a faithful reproduction measures.
    """

    table: str
    numbers: int
    widths: tuple[float, float] | None
    seeds_needed: int | None
    reproduced: float
    differs: float
    inconclusive: float


@dataclass(frozen=True)
class ExpectedClaim:
    """How often a claim is decided rightly; `margin` is its smallest in print, in points."""

    claim: str
    printed: str
    margin: float
    decided: float


def expected_tables(
    tables: PrintedTables, *, seeds: int, scatter: Scatter, resolution: float
) -> list[ExpectedTable]:
    """Return the expected verdicts on each table that has numbers to compare."""
    counts: dict[str, Counter[Verdict]] = {
        n: Counter() for n, own in tables.compared.items() if own
    }
    rng = np.random.default_rng(seeds)
    for _ in range(TABLE_RUNS if counts else 0):
        run = simulated_run(tables, seeds=seeds, scatter=scatter, rng=rng)
        papers = single_runs(tables, scatter=scatter, rng=rng)
        verdicts = judged(tables, run, papers, resolution=resolution)
        for name, count in counts.items():
            count.update(verdicts[key] for key in tables.compared[name])
    spreads = expected_spreads(tables.truth.values(), seeds=max(seeds, 2), scatter=scatter)
    found = []
    for name, count in counts.items():
        own = [spreads[tables.truth[key].group] for key in tables.compared[name]]
        widths = [2 * prediction_half_width(spread, seeds) for spread in own]
        needed = [seeds_for_width(spread, resolution) for spread in own]
        found.append(
            ExpectedTable(
                name,
                len(own),
                (min(widths), max(widths)) if seeds > 1 else None,
                None if None in needed else max(n for n in needed if n),
                *(count[v] / count.total() for v in _SHOWN),
            )
        )
    return found


def expected_spreads(
    cells: Iterable[TrueCell], *, seeds: int, scatter: Scatter
) -> dict[Group, Spread]:
    """Return the spreads that a run finds if the seeds of each cell scatter exactly as assumed."""
    noise = np.linspace(-1.0, 1.0, seeds)
    noise /= noise.std(ddof=1)
    series = []
    for cell in cells:
        if cell.model:
            tasks = [Group(task, cell.group.protocol) for task in cell.group.task.split(" ")]
            sd = sqrt(sum(scatter.of(task) ** 2 for task in tasks)) / len(tasks)
            values = {f"{seed}": float(sd * z) for seed, z in enumerate(noise)}
            series.append(Series(cell.model, cell.group, values))
    return pooled_spreads(series)


def expected_claims(tables: PrintedTables, *, seeds: int, scatter: Scatter) -> list[ExpectedClaim]:
    """Return how often each claim is decided rightly; either verdict is right if it is marginal."""
    counts = claim_power(
        tables.hypotheses,
        tables.truth,
        seeds=seeds,
        scatter=scatter,
        runs=CLAIM_RUNS,
        rng=np.random.default_rng(seeds),
    )
    found = []
    for name, printed in tables.printed.items():
        right = (HOLDS, FAILS) if printed == MARGINAL else (printed,)
        decided = sum(counts[name][verdict] for verdict in right) / CLAIM_RUNS
        margin = true_margin(tables.hypotheses[name], tables.truth)
        found.append(ExpectedClaim(name, printed, margin, decided))
    return found


def measured_scatter(plan: Plan, studies: Sequence[PrintedTables]) -> Scatter | None:
    """Return how seeds scatter in the tables of the results folder; None if no cell has two seeds.

    A task without two seeds gets the mean variance of its protocol, or of all tasks.
    """
    series = [one for tables in studies for one in _measured(plan, tables)]
    spreads = {g: s.sd for g, s in pooled_spreads(series).items() if " " not in g.task and s.sd}
    if not spreads:
        return None
    groups = {cell.group for tables in studies for cell in tables.truth.values()}
    tasks = {Group(task, group.protocol) for group in groups for task in group.task.split(" ")}
    return Scatter(
        _root_mean_square(spreads.values()),
        by_group={task: spreads.get(task) or _like(task, spreads) for task in sorted(tasks)},
    )


def _measured(plan: Plan, tables: PrintedTables) -> Iterable[Series]:
    """Yield the numbers of the tables that exist, with their seeds."""
    for name, keys in tables.compared.items():
        path = plan.paths.table(name)
        seeds = read_seeds(path) if Path(seeds_of(path)).is_file() else {}
        for key in keys:
            if key[1:] in seeds:
                cell = tables.truth[key]
                yield Series(str(cell.model), cell.group, seeds[key[1], key[2]].values)


def _like(task: Group, spreads: Mapping[Group, float]) -> float:
    same = [sd for group, sd in spreads.items() if group.protocol == task.protocol]
    return _root_mean_square(same or spreads.values())


def _root_mean_square(values: Iterable[float]) -> float:
    return sqrt(fmean(value**2 for value in values))
