"""How often verdicts are right: `PYTHONPATH=src python benchmarks/verdicts.py`.

Simulates runs of the shipped tables and claims. The paper's printed numbers are the truth; seeds
scatter around them, and so do the paper's own single runs. The untrained encoders are assumed at
half of the lowest number that the paper prints in a column, and are scored by every protocol.
"""

import argparse
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from fedssl.command.project import open_project
from fedssl.grid.plan import Plan
from fedssl.paper.claims.claims import read_claims
from fedssl.paper.products.table import table_spec
from fedssl.paper.published import heading, read_published
from fedssl.paper.verdict import Verdict
from fedssl.paper.verdicts.cell_verdict import RandomInit, judge_cell
from fedssl.paper.verdicts.claim_test import FAILS, HOLDS, UNDECIDED, Measured, judge_claims
from fedssl.paper.verdicts.contrast import Key, Measurements
from fedssl.paper.verdicts.hypotheses import (
    EQUAL,
    AllOf,
    Every,
    Hypothesis,
    Near,
    Together,
    cells_of,
    hypothesis_of,
)
from fedssl.paper.verdicts.power import Scatter, TrueCell, series_of, simulate
from fedssl.paper.verdicts.seed_spread import (
    Group,
    SeedNoise,
    Series,
    Spread,
    fit_noise,
    pooled_spreads,
)

SEEDS = (1, 3, 5, 10)
SHOWN = (Verdict.REPRODUCED, Verdict.DIFFERS, Verdict.INCONCLUSIVE, Verdict.UNINFORMATIVE)
ROOT = Path(__file__).parents[1]
_ROUNDING = 1e-9
MARGINAL = "marginal"  # above on average, below in a cell by less than measured numbers can tell


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


@dataclass(frozen=True)
class Shipped:
    """The shipped tables: true cells, the architecture of each row's encoder, and claims."""

    truth: dict[Key, TrueCell]
    arch: dict[Key, str]
    hypotheses: dict[str, Hypothesis]
    printed: dict[str, str]  # claim -> its verdict on the printed numbers


def shipped(study: str) -> Shipped:
    """Return the tables and claims of one paper."""
    project = open_project([])
    plan = Plan(project.grid, project.tree, ROOT)
    files = sorted((ROOT / "config/published").glob("*.csv"))
    rows = read_published(files).to_dict("records")
    values = {
        (r["table"], r["row"], heading(r["column"], r["protocol"])): r["value"]
        for r in rows
        if r["study"] == study
    }
    truth, arch = {}, {}
    for name, table in plan.grid.config["tables"].items():
        if table["study"] == study:
            spec = table_spec(plan.grid, name, plan.paths)
            for key, cell in _cells(spec, values):
                truth[key] = cell
                arch[key] = _arch(table, key[1])
    claims = [c for c in read_claims(ROOT / "config/claims.yaml") if c["paper"] == study]
    hypotheses = {c["id"]: hypothesis_of(c["predicate"]) for c in claims}
    known = {name: h for name, h in hypotheses.items() if set(cells_of(h)) <= set(truth)}
    return Shipped(truth, arch, known, _printed_verdicts(known, truth))


def _cells(spec: Mapping[str, Any], values: Mapping[Key, float]) -> Iterator[tuple[Key, TrueCell]]:
    for row in spec["rows"]:
        for column in spec["columns"]:
            key = spec["table"], row["row"], heading(column["column"], column["protocol"])
            if key in values:
                model = row["cells"][0]["cell"] if row["cells"] else None
                group = Group(" ".join(column["tasks"]), column["score"])
                yield key, TrueCell(model, group, values[key])


def _arch(table: Mapping[str, Any], name: str) -> str:
    return next(str(row.get("arch")) for row in table["rows"] if row["row"] == name)


def _printed_verdicts(
    hypotheses: Mapping[str, Hypothesis], truth: Mapping[Key, TrueCell]
) -> dict[str, str]:
    """Return what holds and fails of the truth, with and without a tolerance for single cells."""
    strict, tolerant = (
        {name: _true(h, truth, tolerance=points) for name, h in hypotheses.items()}
        for points in (0.0, EQUAL)
    )
    return {
        name: (HOLDS if strict[name] else MARGINAL if tolerant[name] else FAILS)
        for name in hypotheses
    }


def _true(hypothesis: Hypothesis, truth: Mapping[Key, TrueCell], *, tolerance: float) -> bool:
    if isinstance(hypothesis, AllOf):
        return all(_true(part, truth, tolerance=tolerance) for part in hypothesis.parts)
    if not isinstance(hypothesis, Together | Every | Near):
        raise TypeError(f"no tabulated claim is a {type(hypothesis).__name__}")
    margins = [
        margin.constant + sum(w * truth[key].value for key, w in margin.weights.items())
        for margin in hypothesis.margins
    ]
    if isinstance(hypothesis, Near):
        return max(map(abs, margins)) < hypothesis.within
    if isinstance(hypothesis, Together):
        return min(margins) > -tolerance and float(np.mean(margins)) > _ROUNDING
    return min(margins) > _ROUNDING


def random_inits(shipped: Shipped, *, share: float = 0.5) -> dict[tuple[str, Group], float]:
    """Return the assumed score of each untrained encoder: a share of the column's lowest number."""
    lowest: dict[Group, float] = {}
    for cell in shipped.truth.values():
        lowest[cell.group] = min(lowest.get(cell.group, 100.0), cell.value)
    keys = [(shipped.arch[key], cell.group) for key, cell in shipped.truth.items() if cell.model]
    return {(arch, group): share * lowest[group] for arch, group in keys}


@dataclass(frozen=True)
class Run:
    """A simulated run: what each cell and each untrained encoder measured, and the spreads."""

    cells: dict[Key, Series]
    untrained: dict[tuple[str, Group], Series]
    noise: SeedNoise
    of_untrained: Mapping[Group, Spread]
    of_difference: Mapping[Group, Spread]


def run(shipped: Shipped, *, seeds: int, scatter: Scatter, rng: np.random.Generator) -> Run:
    """Return one simulated run of all tables."""
    untrained_truth = {
        ("", arch, f"{group}"): TrueCell(f"random {arch}", group, value)
        for (arch, group), value in random_inits(shipped).items()
    }
    drawn = simulate({**shipped.truth, **untrained_truth}, seeds=seeds, scatter=scatter, rng=rng)
    cells = {k: drawn[k] for k in shipped.truth}
    measured = {key: cell for key, cell in cells.items() if isinstance(cell, Series)}
    untrained = {
        (key[1], cell.group): cell
        for key, cell in drawn.items()
        if key in untrained_truth and isinstance(cell, Series)
    }
    differences = [
        cell.minus(untrained[shipped.arch[key], cell.group]) for key, cell in measured.items()
    ]
    return Run(
        measured,
        untrained,
        fit_noise(measured.values()),
        pooled_spreads(untrained.values()),
        pooled_spreads(differences),
    )


def judged(
    shipped: Shipped, one: Run, published: Mapping[Key, float], *, resolution: float
) -> Counter[str]:
    """Return how many cells of a run have each verdict against the published numbers."""
    counts: Counter[str] = Counter()
    for key, cell in one.cells.items():
        untrained = one.untrained[shipped.arch[key], cell.group].values
        counts[
            judge_cell(
                cell.values,
                published[key],
                spread=one.noise.total.get(cell.group),
                random_init=RandomInit(
                    untrained,
                    one.of_untrained.get(cell.group),
                    one.of_difference.get(cell.group),
                ),
                resolution=resolution,
            ).verdict
        ] += 1
    return counts


def single_runs(
    shipped: Shipped, *, scatter: Scatter, rng: np.random.Generator
) -> dict[Key, float]:
    """Return the paper's numbers as single runs around the truth."""
    cells = simulate(shipped.truth, seeds=1, scatter=scatter, rng=rng)
    return {k: cell.values["0"] for k, cell in cells.items() if isinstance(cell, Series)}


def untrained_as_trained(shipped: Shipped, one: Run, rng: np.random.Generator) -> Run:
    """Return a run whose cells are worth no more than the untrained encoders, but are others."""
    seeds = len(next(iter(one.cells.values())).values)
    cells = {}
    for key, cell in one.cells.items():
        mean = random_inits_of(one)[shipped.arch[key], cell.group]
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

    def add(self, shipped: Shipped, scatter: Scatter, seeds: int, **how: Any) -> None:
        """Simulate a run and count its verdicts."""
        resolution, rng = how["resolution"], how["rng"]
        one = run(shipped, seeds=seeds, scatter=scatter, rng=rng)
        printed = single_runs(shipped, scatter=scatter, rng=rng)
        self.faithful += judged(shipped, one, printed, resolution=resolution)
        moved = {key: value + 5.0 for key, value in printed.items()}
        self.five_off += judged(shipped, one, moved, resolution=resolution)
        idle, means = untrained_as_trained(shipped, one, rng), random_inits_of(one)
        for distance, counts in enumerate(self.untrained):
            near = {
                key: means[shipped.arch[key], cell.group] + distance * scatter.sd
                for key, cell in idle.cells.items()
            }
            counts += judged(shipped, idle, near, resolution=resolution)


def cell_table(shipped: Shipped, *, runs: int, resolution: float, seeds: Sequence[int]) -> None:
    """Print the verdicts on faithful cells, on cells 5 points off and on untrained encoders."""
    head = "".join(f"{verdict:>15s}" for verdict in SHOWN)
    print(f"\nCells, an interval of at most {resolution:g} points is conclusive; % of numbers")
    print(f"{'':24s}       faithful{'':45s}  reproduced although")
    print(f"{'sd of a seed':24s} {'seeds':>5s} {head} {'5 off':>8s} {'untrained':>10s}")
    for name, scatter in scatters([cell.group for cell in shipped.truth.values()]).items():
        for k in seeds if "," not in name else (3,):
            rng = np.random.default_rng(k)
            found = CellCounts(Counter(), Counter(), [Counter() for _ in range(5)])
            for _ in range(runs):
                found.add(shipped, scatter, k, resolution=resolution, rng=rng)
            total = found.faithful.total()
            shares = "".join(f"{100 * found.faithful[v] / total:15.1f}" for v in SHOWN)
            off = 100 * found.five_off[Verdict.REPRODUCED] / total
            worst = max(100 * counts[Verdict.REPRODUCED] / total for counts in found.untrained)
            print(f"{name:24s} {k:5d} {shares} {off:8.2f} {worst:10.2f}")


def claim_table(shipped: Shipped, *, runs: int, names: Sequence[str] = ()) -> Counts:
    """Print how many claims of each kind are decided, and how; return the counts.

    `names` are the scatters to print, all if empty.
    """
    kept: Counts = {}
    number = Counter(shipped.printed.values())
    print(
        f"\nClaims: {number[HOLDS]} hold in print, {number[FAILS]} fail, {number[MARGINAL]} fail "
        "by less than a point in a cell; mean number per run"
    )
    print(f"{'':24s}       those that hold       those that fail       marginal       % of runs")
    three = f"{'holds':>7s} {'fails':>7s}"
    print(f"{'sd of a seed':24s} {'seeds':>5s} {three}       {three} {three} {'wrong':>11s}")
    for name, scatter in scatters([cell.group for cell in shipped.truth.values()]).items():
        if names and name not in names:
            continue
        for seeds in SEEDS if "," not in name else (3,):
            counts, wrong = claim_counts(shipped, runs=runs, seeds=seeds, scatter=scatter)
            kept[name, seeds] = counts
            sums = {kind: Counter[str]() for kind in (HOLDS, FAILS, MARGINAL)}
            for claim, count in counts.items():
                sums[shipped.printed[claim]] += count
            shown = " ".join(
                f"{sums[kind][verdict] / runs:7.2f}" for kind in sums for verdict in (HOLDS, FAILS)
            )
            print(f"{name:24s} {seeds:5d} {shown} {100 * wrong / runs:11.1f}")
    return kept


def no_effect(shipped: Shipped) -> Shipped:
    """Return tables in which all models have the mean of their column."""
    columns: dict[Group, list[float]] = {}
    for cell in shipped.truth.values():
        columns.setdefault(cell.group, []).append(cell.value)
    means = {group: float(np.mean(values)) for group, values in columns.items()}
    truth = {key: replace(cell, value=means[cell.group]) for key, cell in shipped.truth.items()}
    printed = _printed_verdicts(shipped.hypotheses, truth)
    return replace(shipped, truth=truth, printed=printed)


def each_claim(shipped: Shipped, kept: Counts, *, runs: int) -> None:
    """Print how often each claim is decided at sd 0.7, by the number of seeds."""
    print("\nEach claim at sd 0.7: % of runs that decide it (wrongly: in brackets)")
    print(f"{'':46s} {'in print':>9s} " + "".join(f"{k:>6d} seeds" for k in SEEDS[1:]))
    found = [kept["0.7", seeds] for seeds in SEEDS[1:]]
    for name, printed in shipped.printed.items():
        shown = ""
        for counts in found:
            wrong = {HOLDS: FAILS, FAILS: HOLDS, MARGINAL: ""}[printed]
            decided = runs - counts[name][UNDECIDED] - counts[name][wrong]
            shown += f"{100 * decided / runs:6.0f} ({100 * counts[name][wrong] / runs:2.0f}) "
        print(f"{name:46s} {printed:>9s} {shown}")


def claim_counts(
    shipped: Shipped, *, runs: int, seeds: int, scatter: Scatter
) -> tuple[dict[str, Counter[str]], int]:
    """Return how often each claim had each verdict, and how many runs had a wrong one."""
    rng = np.random.default_rng(seeds)
    counts = {name: Counter[str]() for name in shipped.hypotheses}
    wrong = 0
    for _ in range(runs):
        cells = simulate(shipped.truth, seeds=seeds, scatter=scatter, rng=rng)
        source = Measured(Measurements(cells, fit_noise(series_of(cells.values()))))
        found = judge_claims(shipped.hypotheses, source, plan=False)
        for name, verdict in found.items():
            counts[name][verdict.verdict] += 1
        wrong += any(
            {shipped.printed[name], verdict.verdict} == {HOLDS, FAILS}
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
    tables = shipped("fssuavl")
    cell_table(tables, runs=args.cell_runs, resolution=3.0, seeds=SEEDS)
    cell_table(tables, runs=args.cell_runs, resolution=6.0, seeds=(3,))
    kept = claim_table(tables, runs=args.claim_runs)
    each_claim(tables, kept, runs=args.claim_runs)
    print("\nThe same if all models have the mean of their column: no claim of `above` is true")
    claim_table(no_effect(tables), runs=args.claim_runs, names=("0.7", "0.7, half by the seed"))
    print(f"\n{time.perf_counter() - started:.0f} s")


if __name__ == "__main__":
    main()
