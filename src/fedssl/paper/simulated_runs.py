"""Simulated runs of the papers' tables, with the printed numbers as the truth.

Seeds scatter around the printed numbers, and so do the paper's own runs. `fedssl power` and
`benchmarks/verdicts.py` count the verdicts on such runs.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from statistics import fmean
from typing import Any

import numpy as np

from fedssl.grid.paths import ROUND_PROTOCOLS
from fedssl.grid.plan import Plan
from fedssl.paper.claims.claims import read_claims
from fedssl.paper.judgement import comparability
from fedssl.paper.products.table import table_spec
from fedssl.paper.published import heading, read_published
from fedssl.paper.verdict import Verdict
from fedssl.paper.verdicts.cell_verdict import RandomInit, judge_cell
from fedssl.paper.verdicts.claim_test import FAILS, HOLDS
from fedssl.paper.verdicts.contrast import Contrast, Key
from fedssl.paper.verdicts.hypotheses import (
    EQUAL,
    AllOf,
    AnyOf,
    Hypothesis,
    Near,
    SomeAboveAll,
    Together,
    cells_of,
    hypothesis_of,
)
from fedssl.paper.verdicts.power import Scatter, TrueCell, Truth, simulate
from fedssl.paper.verdicts.seed_spread import (
    Group,
    SeedNoise,
    Series,
    Spread,
    fit_noise,
    pooled_spreads,
)

MARGINAL = "marginal"  # above on average, below in a cell by less than measured numbers can tell
_ROUNDING = 1e-9


@dataclass(frozen=True)
class PrintedTables:
    """The tables and claims of one paper, as printed.

    Attributes:
        truth: Every printed number that the configuration measures or quotes.
        arch: Architecture of the encoder of each number.
        compared: Table -> its numbers that get a verdict.
        hypotheses: The claims whose numbers are all in `truth`.
        printed: Claim -> its verdict on the printed numbers.
        left_out: Claims about other numbers.
    """

    truth: dict[Key, TrueCell]
    arch: dict[Key, str]
    compared: dict[str, list[Key]]
    hypotheses: dict[str, Hypothesis]
    printed: dict[str, str]
    left_out: list[str]


def printed_tables(plan: Plan, study: str) -> PrintedTables:
    """Return the printed tables and claims of one paper."""
    config = plan.checkout / "config"
    values = {
        (r["table"], r["row"], heading(r["column"], r["protocol"])): r["value"]
        for r in read_published(sorted((config / "published").glob("*.csv"))).to_dict("records")
        if r["study"] == study
    }
    truth: dict[Key, TrueCell] = {}
    arch: dict[Key, str] = {}
    compared: dict[str, list[Key]] = {}
    for name, table in plan.config["tables"].items():
        if table["study"] != study:
            continue
        spec = table_spec(plan.grid, name, plan.paths)
        cells = dict(_cells(spec, values))
        archs = {row["row"]: str(row.get("arch")) for row in table["rows"]}
        truth |= cells
        arch |= {key: archs[key[1]] for key in cells}
        excluded = _not_held_to(spec)
        compared[name] = [
            key
            for key, cell in cells.items()
            if cell.model
            and key not in excluded
            and not comparability("", cell.group.task.split(" "), spec["not_comparable"])
        ]
    claims = {
        # A run is judged by the predicate for measured numbers, if a claim has one.
        claim["id"]: hypothesis_of(claim.get("measured", claim["predicate"]))
        for claim in read_claims(config / "claims.yaml")
        if claim["paper"] == study
    }
    known = {name: h for name, h in claims.items() if set(cells_of(h)) <= set(truth)}
    left_out = [name for name in claims if name not in known]
    return PrintedTables(truth, arch, compared, known, printed_verdicts(known, truth), left_out)


def _cells(spec: Mapping[str, Any], values: Mapping[Key, float]) -> Iterator[tuple[Key, TrueCell]]:
    """Yield the printed numbers of a table that the configuration measures or quotes."""
    for row in spec["rows"]:
        quoted = row.get("published_only", False)
        cell = row["cells"][0] if row["cells"] else {"cell": None, "metrics": {}}
        for column in spec["columns"]:
            key = spec["table"], row["row"], heading(column["column"], column["protocol"])
            measured = set(column["tasks"]) <= set(cell["metrics"].get(column["score"], {}))
            if key in values and (quoted or measured):
                group = Group(" ".join(column["tasks"]), column["score"])
                yield key, TrueCell(cell["cell"], group, values[key])


def _not_held_to(spec: Mapping[str, Any]) -> set[Key]:
    return {
        (spec["table"], entry["row"], heading(entry["column"], entry["protocol"]))
        for entry in spec["not_held_to"]
    }


def printed_verdicts(hypotheses: Mapping[str, Hypothesis], truth: Truth) -> dict[str, str]:
    """Return whether each claim holds, fails or is marginal for the true values."""
    verdicts = {}
    for name, hypothesis in hypotheses.items():
        strict, tolerant = (true_margin(hypothesis, truth, tolerance=t) for t in (0.0, EQUAL))
        holds = HOLDS if strict > _ROUNDING else MARGINAL if tolerant > _ROUNDING else FAILS
        verdicts[name] = holds
    return verdicts


def true_margin(hypothesis: Hypothesis, truth: Truth, *, tolerance: float = 0.0) -> float:
    """Return by how many points a hypothesis holds for the true values; negative if it fails.

    It is that of the closest cell. In a comparison cell by cell, single cells may be `tolerance`
    points below if the average is above.
    """
    if isinstance(hypothesis, AllOf | AnyOf):
        parts = [true_margin(part, truth, tolerance=tolerance) for part in hypothesis.parts]
        return min(parts) if isinstance(hypothesis, AllOf) else max(parts)
    if isinstance(hypothesis, SomeAboveAll):
        return max(min(_true_value(m, truth) for m in row) for row in hypothesis.margins)
    margins = [_true_value(margin, truth) for margin in hypothesis.margins]
    if isinstance(hypothesis, Near):
        return hypothesis.within - max(map(abs, margins))
    if isinstance(hypothesis, Together):
        return min(min(margins) + tolerance, fmean(margins))
    return min(margins)


def _true_value(contrast: Contrast, truth: Truth) -> float:
    return contrast.constant + sum(w * truth[key].value for key, w in contrast.weights.items())


def _random_inits(tables: PrintedTables, *, share: float = 0.5) -> dict[tuple[str, Group], float]:
    """Return the assumed score of each untrained encoder: a share of the column's lowest number."""
    lowest: dict[Group, float] = {}
    for cell in tables.truth.values():
        lowest[cell.group] = min(lowest.get(cell.group, 100.0), cell.value)
    keys = [(tables.arch[key], cell.group) for key, cell in tables.truth.items() if cell.model]
    return {(arch, group): share * lowest[group] for arch, group in keys}


@dataclass(frozen=True)
class Run:
    """A simulated run: what each cell and each untrained encoder measured, and the spreads."""

    cells: dict[Key, Series]
    untrained: dict[tuple[str, Group], Series]
    noise: SeedNoise
    of_untrained: Mapping[Group, Spread]
    of_difference: Mapping[Group, Spread]


def simulated_run(
    tables: PrintedTables, *, seeds: int, scatter: Scatter, rng: np.random.Generator
) -> Run:
    """Return one simulated run of all tables."""
    untrained_truth = {
        ("", arch, f"{group}"): TrueCell(f"random {arch}", group, value)
        for (arch, group), value in _random_inits(tables).items()
    }
    drawn = simulate({**tables.truth, **untrained_truth}, seeds=seeds, scatter=scatter, rng=rng)
    measured = {k: cell for k in tables.truth if isinstance(cell := drawn[k], Series)}
    untrained = {
        (key[1], cell.group): cell
        for key in untrained_truth
        if isinstance(cell := drawn[key], Series)
    }
    differences = [
        cell.minus(untrained[tables.arch[key], cell.group]) for key, cell in measured.items()
    ]
    return Run(
        measured,
        untrained,
        fit_noise(measured.values()),
        pooled_spreads(untrained.values()),
        pooled_spreads(differences),
    )


def judged(
    tables: PrintedTables, one: Run, published: Mapping[Key, float], *, resolution: float
) -> dict[Key, Verdict]:
    """Return the verdict on each cell of a run against the published numbers."""
    verdicts = {}
    for key, cell in one.cells.items():
        found = judge_cell(
            cell.values,
            published[key],
            spread=one.noise.total.get(cell.group),
            random_init=None
            if cell.group.protocol in ROUND_PROTOCOLS
            else RandomInit(
                one.untrained[tables.arch[key], cell.group].values,
                one.of_untrained.get(cell.group),
                one.of_difference.get(cell.group),
            ),
            resolution=resolution,
        )
        verdicts[key] = found.verdict
    return verdicts


def single_runs(
    tables: PrintedTables, *, scatter: Scatter, rng: np.random.Generator
) -> dict[Key, float]:
    """Return the paper's numbers as single runs around the truth."""
    cells = simulate(tables.truth, seeds=1, scatter=scatter, rng=rng)
    return {k: cell.values["0"] for k, cell in cells.items() if isinstance(cell, Series)}
