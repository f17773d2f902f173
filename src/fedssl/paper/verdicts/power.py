"""What a number of seeds can decide, before anything has run.

The paper's numbers are taken as true and seeds are drawn around them. The same code as for measured
numbers then gives the verdicts.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import sqrt

import numpy as np
from numpy.typing import NDArray

from fedssl.paper.verdicts.claim_test import judge_claims
from fedssl.paper.verdicts.contrast import Cells, Key, Measurements, Printed
from fedssl.paper.verdicts.hypotheses import Hypothesis, cells_of
from fedssl.paper.verdicts.margins import Measured
from fedssl.paper.verdicts.seed_spread import Group, Series, fit_noise


@dataclass(frozen=True)
class TrueCell:
    """A cell of a simulated table; `model` is None for a number that nobody reruns."""

    model: str | None
    group: Group
    value: float


Truth = Mapping[Key, TrueCell]
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Scatter:
    """How simulated seeds scatter around the truth.

    `sd` is of one seed on one task, in points. `seed_share` of its variance is common to all models
    of a seed on a task, and `model_share` to all tasks of a model and seed.
    """

    sd: float
    seed_share: float = 0.0
    model_share: float = 0.0
    by_group: Mapping[Group, float] | None = None

    def of(self, group: Group) -> float:
        """Return the standard deviation of a group of one task."""
        return self.sd if self.by_group is None else self.by_group[group]


def simulate(truth: Truth, *, seeds: int, scatter: Scatter, rng: np.random.Generator) -> Cells:
    """Return the cells of a simulated run with this number of seeds.

    An average scatters as the mean of its tasks' own draws, so it agrees with them. Cells of one
    model and group, printed in several tables, are the same draws around their own truths.
    """
    noise, printed = _Noise(seeds, scatter, rng), _Noise(1, scatter, rng)
    names = [str(seed) for seed in range(seeds)]
    cells: dict[Key, Series | Printed] = {}
    for key, cell in truth.items():
        if cell.model is None:
            value = cell.value + float(printed.of(key[1], cell.group)[0])
            cells[key] = Printed(cell.group, value)
            continue
        values = cell.value + noise.of(cell.model, cell.group)
        cells[key] = Series(cell.model, cell.group, dict(zip(names, values.tolist(), strict=True)))
    return cells


def claim_power(
    hypotheses: Mapping[str, Hypothesis],
    truth: Truth,
    *,
    seeds: int,
    scatter: Scatter,
    runs: int,
    rng: np.random.Generator,
) -> dict[str, Counter[str]]:
    """Return how often each verdict on each claim falls in `runs` simulated runs.

    Claims about cells that `truth` lacks are left out.
    """
    known = {name: h for name, h in hypotheses.items() if set(cells_of(h)) <= set(truth)}
    counts: dict[str, Counter[str]] = {name: Counter() for name in known}
    for _ in range(runs):
        cells = simulate(truth, seeds=seeds, scatter=scatter, rng=rng)
        noise = fit_noise(series_of(cells.values()))
        verdicts = judge_claims(known, Measured(Measurements(cells, noise)), plan=False)
        for name, found in verdicts.items():
            counts[name][found.verdict] += 1
    return counts


def series_of(cells: Iterable[Series | Printed]) -> list[Series]:
    """Return the measured cells."""
    return [cell for cell in cells if isinstance(cell, Series)]


class _Noise:
    """Draws of seeds, the same whenever a model's score on a task is asked for again."""

    def __init__(self, seeds: int, scatter: Scatter, rng: np.random.Generator) -> None:
        self._seeds = seeds
        self._scatter = scatter
        self._rng = rng
        self._drawn: dict[tuple[str, ...], Floats] = {}

    def of(self, model: str, group: Group) -> Floats:
        """Return the noise of each seed; of an average the mean over its tasks."""
        tasks = [Group(task, group.protocol) for task in group.task.split(" ")]
        noise: Floats = np.mean([self._task(model, task) for task in tasks], axis=0)
        return noise

    def _task(self, model: str, task: Group) -> Floats:
        of_seed, of_model = self._scatter.seed_share, self._scatter.model_share
        noise = sqrt(1 - of_seed - of_model) * self._draw("own", model, *task)
        if of_seed:
            noise = noise + sqrt(of_seed) * self._draw("seed", *task)
        if of_model:
            noise = noise + sqrt(of_model) * self._draw("model", model)
        return self._scatter.of(task) * noise

    def _draw(self, *name: str) -> Floats:
        if name not in self._drawn:
            self._drawn[name] = self._rng.standard_normal(self._seeds)
        return self._drawn[name]
