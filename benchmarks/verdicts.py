"""How often verdicts are right: `PYTHONPATH=src python benchmarks/verdicts.py`.

Simulates runs of the shipped tables and claims. The paper's printed numbers are the truth; seeds
scatter around them, and so do the paper's own single runs. The untrained encoders are assumed at
half of the lowest number that the paper prints in a column. Fine-tuning has none, as in a real run.
"""

import argparse
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from fedssl.command.project import open_project
from fedssl.grid.plan import Plan
from fedssl.paper.simulated_runs import (
    MARGINAL,
    PrintedTables,
    Run,
    judged,
    printed_tables,
    printed_verdicts,
    simulated_run,
    single_runs,
)
from fedssl.paper.verdict import Verdict
from fedssl.paper.verdicts.claim_test import FAILS, HOLDS, UNDECIDED, judge_claims
from fedssl.paper.verdicts.contrast import Measurements
from fedssl.paper.verdicts.margins import Measured
from fedssl.paper.verdicts.power import Scatter, series_of, simulate
from fedssl.paper.verdicts.seed_spread import Group, fit_noise

SEEDS = (1, 3, 5, 10)
SHOWN = (Verdict.REPRODUCED, Verdict.DIFFERS, Verdict.INCONCLUSIVE, Verdict.UNINFORMATIVE)
ROOT = Path(__file__).parents[1]


def scatters(groups: Sequence[Group]) -> dict[str, Scatter]:
    """Return how seeds may scatter: 0.3 to 2 points, and three ways that the theory leaves out."""
    tasks = sorted({Group(task, g.protocol) for g in groups for task in g.task.split(" ")})
    factors = np.exp(0.5 * np.random.default_rng(1).standard_normal(len(tasks)))
    uneven = dict(zip(tasks, (0.7 * factors).tolist(), strict=True))
    return {
        **{f"{sd:g}": Scatter(sd) for sd in (0.3, 0.7, 1.0, 2.0)},
        "0.7, half by the seed": Scatter(0.7, seed_share=0.5),
        "0.7, half by the model": Scatter(0.7, model_share=0.5),
        "0.7, tasks uneven": Scatter(0.7, by_group=uneven),
    }


Counts = dict[tuple[str, int], dict[str, Counter[str]]]  # scatter, seeds -> claim -> verdicts


def untrained_as_trained(tables: PrintedTables, one: Run, rng: np.random.Generator) -> Run:
    """Return a run whose cells are worth no more than the untrained encoders, but are others."""
    seeds = len(next(iter(one.cells.values())).values)
    cells = {}
    for key, cell in one.cells.items():
        mean = random_inits_of(one)[tables.arch[key], cell.group]
        spread = one.noise.total.get(cell.group)
        noise = (spread.sd if spread else 1.0) * rng.standard_normal(seeds)
        values = dict(zip(cell.values, (mean + noise).tolist(), strict=True))
        cells[key] = replace(cell, values=values)
    return replace(one, cells=cells)


def random_inits_of(one: Run) -> dict[tuple[str, Group], float]:
    """Return the mean of each untrained encoder of a run."""
    return {k: float(np.mean(list(s.values.values()))) for k, s in one.untrained.items()}


@dataclass
class CellCounts:
    """How often numbers of simulated runs had each verdict."""

    faithful: Counter[str]
    five_off: Counter[str]
    untrained: list[Counter[str]]  # by how many deviations the paper's number is above random init

    def add(self, tables: PrintedTables, scatter: Scatter, seeds: int, **how: Any) -> None:
        """Simulate a run and count its verdicts."""
        resolution, rng = how["resolution"], how["rng"]
        one = simulated_run(tables, seeds=seeds, scatter=scatter, rng=rng)
        printed = single_runs(tables, scatter=scatter, rng=rng)
        self.faithful += Counter(judged(tables, one, printed, resolution=resolution).values())
        moved = {key: value + 5.0 for key, value in printed.items()}
        self.five_off += Counter(judged(tables, one, moved, resolution=resolution).values())
        idle, means = untrained_as_trained(tables, one, rng), random_inits_of(one)
        for distance, counts in enumerate(self.untrained):
            near = {
                key: means[tables.arch[key], cell.group] + distance * scatter.sd
                for key, cell in idle.cells.items()
            }
            counts += Counter(judged(tables, idle, near, resolution=resolution).values())


def cell_table(
    tables: PrintedTables, *, runs: int, resolution: float, seeds: Sequence[int]
) -> None:
    """Print the verdicts on faithful cells, on cells 5 points off and on untrained encoders."""
    head = "".join(f"{verdict:>15s}" for verdict in SHOWN)
    print(f"\nCells, an interval of at most {resolution:g} points is conclusive; % of numbers")
    print(f"{'':24s}       faithful{'':45s}  reproduced although")
    print(f"{'sd of a seed':24s} {'seeds':>5s} {head} {'5 off':>8s} {'untrained':>10s}")
    for name, scatter in scatters([cell.group for cell in tables.truth.values()]).items():
        for k in seeds if "," not in name else (3,):
            rng = np.random.default_rng(k)
            found = CellCounts(Counter(), Counter(), [Counter() for _ in range(5)])
            for _ in range(runs):
                found.add(tables, scatter, k, resolution=resolution, rng=rng)
            total = found.faithful.total()
            shares = "".join(f"{100 * found.faithful[v] / total:15.1f}" for v in SHOWN)
            off = 100 * found.five_off[Verdict.REPRODUCED] / total
            worst = max(100 * counts[Verdict.REPRODUCED] / total for counts in found.untrained)
            print(f"{name:24s} {k:5d} {shares} {off:8.2f} {worst:10.2f}")


def claim_table(tables: PrintedTables, *, runs: int, names: Sequence[str] = ()) -> Counts:
    """Print how many claims of each kind are decided, and how; return the counts.

    `names` are the scatters to print, all if empty.
    """
    kept: Counts = {}
    number = Counter(tables.printed.values())
    print(
        f"\nClaims: {number[HOLDS]} hold in print, {number[FAILS]} fail, {number[MARGINAL]} fail "
        "by less than a point in a cell; mean number per run"
    )
    print(f"{'':24s}       those that hold       those that fail       marginal       % of runs")
    three = f"{'holds':>7s} {'fails':>7s}"
    print(f"{'sd of a seed':24s} {'seeds':>5s} {three}       {three} {three} {'wrong':>11s}")
    for name, scatter in scatters([cell.group for cell in tables.truth.values()]).items():
        if names and name not in names:
            continue
        for seeds in SEEDS if "," not in name else (3,):
            counts, wrong = claim_counts(tables, runs=runs, seeds=seeds, scatter=scatter)
            kept[name, seeds] = counts
            sums = {kind: Counter[str]() for kind in (HOLDS, FAILS, MARGINAL)}
            for claim, count in counts.items():
                sums[tables.printed[claim]] += count
            shown = " ".join(
                f"{sums[kind][verdict] / runs:7.2f}" for kind in sums for verdict in (HOLDS, FAILS)
            )
            print(f"{name:24s} {seeds:5d} {shown} {100 * wrong / runs:11.1f}")
    return kept


def no_effect(tables: PrintedTables) -> PrintedTables:
    """Return tables in which all models have the mean of their column."""
    columns: dict[Group, list[float]] = {}
    for cell in tables.truth.values():
        columns.setdefault(cell.group, []).append(cell.value)
    means = {group: float(np.mean(values)) for group, values in columns.items()}
    truth = {key: replace(cell, value=means[cell.group]) for key, cell in tables.truth.items()}
    printed = printed_verdicts(tables.hypotheses, truth)
    return replace(tables, truth=truth, printed=printed)


def each_claim(tables: PrintedTables, kept: Counts, *, runs: int) -> None:
    """Print how often each claim is decided at sd 0.7, by the number of seeds."""
    print("\nEach claim at sd 0.7: % of runs that decide it (wrongly: in brackets)")
    print(f"{'':46s} {'in print':>9s} " + "".join(f"{k:>6d} seeds" for k in SEEDS[1:]))
    found = [kept["0.7", seeds] for seeds in SEEDS[1:]]
    for name, printed in tables.printed.items():
        shown = ""
        for counts in found:
            wrong = {HOLDS: FAILS, FAILS: HOLDS, MARGINAL: ""}[printed]
            decided = runs - counts[name][UNDECIDED] - counts[name][wrong]
            shown += f"{100 * decided / runs:6.0f} ({100 * counts[name][wrong] / runs:2.0f}) "
        print(f"{name:46s} {printed:>9s} {shown}")


def claim_counts(
    tables: PrintedTables, *, runs: int, seeds: int, scatter: Scatter
) -> tuple[dict[str, Counter[str]], int]:
    """Return how often each claim had each verdict, and how many runs had a wrong one."""
    rng = np.random.default_rng(seeds)
    counts = {name: Counter[str]() for name in tables.hypotheses}
    wrong = 0
    for _ in range(runs):
        cells = simulate(tables.truth, seeds=seeds, scatter=scatter, rng=rng)
        source = Measured(Measurements(cells, fit_noise(series_of(cells.values()))))
        found = judge_claims(tables.hypotheses, source, plan=False)
        for name, verdict in found.items():
            counts[name][verdict.verdict] += 1
        wrong += any(
            {tables.printed[name], verdict.verdict} == {HOLDS, FAILS}
            for name, verdict in found.items()
        )
    return counts, wrong


def main() -> None:
    """Print the tables of cells and claims."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cell-runs", type=int, default=6, help="simulated runs of all numbers")
    parser.add_argument("--claim-runs", type=int, default=40, help="simulated runs of all claims")
    args = parser.parse_args()
    started = time.perf_counter()
    project = open_project([])
    tables = printed_tables(Plan(project.grid, project.tree, ROOT), "fssuavl")
    cell_table(tables, runs=args.cell_runs, resolution=3.0, seeds=SEEDS)
    cell_table(tables, runs=args.cell_runs, resolution=6.0, seeds=(3,))
    kept = claim_table(tables, runs=args.claim_runs)
    each_claim(tables, kept, runs=args.claim_runs)
    print("\nThe same if all models have the mean of their column: no claim of `above` is true")
    claim_table(no_effect(tables), runs=args.claim_runs, names=("0.7", "0.7, half by the seed"))
    print(f"\n{time.perf_counter() - started:.0f} s")


if __name__ == "__main__":
    main()
