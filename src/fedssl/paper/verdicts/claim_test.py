"""Tests of claims: one hypothesis a claim, Holm's correction over the claims of a paper.

A test has two p values: of "the claim is false", small if it holds, and of "the claim is true",
small if it fails. One of the two is right, so a claim can be decided wrongly in one way only, and
the smaller p value is compared with Holm's levels 5 %/m, 5 %/(m - 1) and so on.

Within a claim, parts that must all hold are an intersection-union test (Berger 1982): each must be
shown, at the full level. One part suffices for such a claim to fail, so there the p values are
multiplied by the number of parts (Bonferroni). Where one part suffices to hold, the other way
round.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from scipy.special import bdtr, bdtrc

from fedssl.evaluation.statistics import ALPHA
from fedssl.paper.verdicts.cell_verdict import fewest_seeds
from fedssl.paper.verdicts.contrast import Contrast, Estimate
from fedssl.paper.verdicts.hypotheses import (
    AllOf,
    AnyOf,
    Every,
    Hypothesis,
    Most,
    Near,
    SomeAboveAll,
)
from fedssl.paper.verdicts.margins import Planned, Source

HOLDS, FAILS, UNDECIDED = "holds", "fails", "undecided"
_CELL = 0.05  # one-sided level of single cells next to their average


@dataclass(frozen=True)
class Evidence:
    """What the numbers say about a claim.

    `p_holds` is small if the claim holds and `p_fails` if it fails. `margin` is the one that
    decides; None where votes of seeds were counted.
    """

    p_holds: float
    p_fails: float
    margin: Estimate | None = None

    @property
    def p(self) -> float:
        """The p value of the direction that the numbers speak for."""
        return min(self.p_holds, self.p_fails)


@dataclass(frozen=True)
class ClaimVerdict:
    """The verdict on a claim after Holm's correction.

    `level` is what its p value was compared with. `seeds_needed` would decide an undecided claim
    with a probability of 80 %, were the truth what was measured; None if 1,000 would not.
    """

    verdict: str
    evidence: Evidence | None
    level: float
    seeds_needed: int | None = None


def judge_claims(
    hypotheses: Mapping[str, Hypothesis],
    source: Source,
    *,
    alpha: float = ALPHA,
    plan: bool = True,
) -> dict[str, ClaimVerdict]:
    """Return the verdict on each claim of one paper, by Holm's step-down procedure.

    Claims without evidence are undecided, and not counted in the correction.

    Args:
        hypotheses: The claims whose cells were all measured.
        source: Their margins, as `Measured`.
        alpha: Largest probability that any verdict of the paper is wrong.
        plan: Whether to say how many seeds an undecided claim needs.
    """
    evidence = {name: weigh(hypothesis, source) for name, hypothesis in hypotheses.items()}
    tested = {name: found for name, found in evidence.items() if found is not None}
    levels = holm_levels([found.p for found in tested.values()], alpha=alpha)
    verdicts = {}
    for (name, found), level in zip(tested.items(), levels, strict=True):
        if found.p <= level:
            verdict = HOLDS if found.p_holds <= found.p_fails else FAILS
            verdicts[name] = ClaimVerdict(verdict, found, level)
        else:
            needed = seeds_to_decide(hypotheses[name], source, level=level) if plan else None
            verdicts[name] = ClaimVerdict(UNDECIDED, found, level, needed)
    untested = ClaimVerdict(UNDECIDED, None, alpha)
    return {name: verdicts.get(name, untested) for name in hypotheses}


def holm_levels(p_values: Sequence[float], *, alpha: float = ALPHA) -> list[float]:
    """Return the level that each p value is compared with (Holm 1979).

    The j-th smallest of m is compared with alpha / (m - j + 1). The first that is larger stops the
    procedure: it and all larger ones have its level.
    """
    order = sorted(range(len(p_values)), key=p_values.__getitem__)
    levels = [0.0] * len(p_values)
    stopped: float | None = None
    for rank, index in enumerate(order):
        levels[index] = stopped or alpha / (len(p_values) - rank)
        if p_values[index] > levels[index]:
            stopped = levels[index]
    return levels


def seeds_to_decide(hypothesis: Hypothesis, source: Source, *, level: float) -> int | None:
    """Return how many seeds decide a claim at a level in 4 of 5 cases; None if 1,000 do not."""

    def decides(seeds: int) -> bool:
        found = weigh(hypothesis, Planned(source, seeds))
        return found is not None and found.p <= level

    return fewest_seeds(decides)


def weigh(hypothesis: Hypothesis, source: Source) -> Evidence | None:
    """Return the evidence on a hypothesis; None where a margin has no estimate."""
    if isinstance(hypothesis, Most):
        return _votes(*source.votes(hypothesis))
    if isinstance(hypothesis, AllOf | AnyOf):
        found = [weigh(part, source) for part in hypothesis.parts]
        parts = [part for part in found if part is not None]
        if len(parts) < len(found):
            return None
        return all_of(parts) if isinstance(hypothesis, AllOf) else any_of(parts)
    if isinstance(hypothesis, SomeAboveAll):
        return _some_above_all(hypothesis, source)
    margins = _estimates(hypothesis.margins, source)
    if margins is None:
        return None
    if isinstance(hypothesis, Near):
        return all_of([_near(margin, hypothesis.within) for margin in margins])
    if isinstance(hypothesis, Every):
        return all_of([_above(margin) for margin in margins])
    average = source.estimate(hypothesis.average)
    if average is None:
        return None
    return _together(average, margins, tolerance=hypothesis.tolerance)


def all_of(parts: Sequence[Evidence]) -> Evidence:
    """Return the evidence that all parts hold; the weakest decides, or the one that fails."""
    p_holds = max(part.p_holds for part in parts)
    p_fails = min(1.0, len(parts) * min(part.p_fails for part in parts))
    if p_fails < p_holds:
        return Evidence(p_holds, p_fails, min(parts, key=lambda part: part.p_fails).margin)
    return Evidence(p_holds, p_fails, max(parts, key=lambda part: part.p_holds).margin)


def any_of(parts: Sequence[Evidence]) -> Evidence:
    """Return the evidence that some part holds: that not all of them fail."""
    opposite = all_of([Evidence(part.p_fails, part.p_holds, part.margin) for part in parts])
    return Evidence(opposite.p_fails, opposite.p_holds, opposite.margin)


def _estimates(margins: Sequence[Contrast], source: Source) -> list[Estimate] | None:
    found = [source.estimate(margin) for margin in margins]
    known = [estimate for estimate in found if estimate is not None]
    return known if len(known) == len(found) else None


def _above(margin: Estimate) -> Evidence:
    return Evidence(margin.p_above(), margin.p_below(), margin)


def _near(margin: Estimate, within: float) -> Evidence:
    """Return the evidence of two one-sided tests that a difference is near 0 (Schuirmann 1987)."""
    p_holds = max(margin.p_above(-within), margin.p_below(within))
    p_fails = min(1.0, 2 * min(margin.p_above(within), margin.p_below(-within)))
    return Evidence(p_holds, p_fails, margin)


def _together(average: Estimate, margins: Sequence[Estimate], *, tolerance: float) -> Evidence:
    """Return the evidence that margins are above 0 as one effect.

    It holds by the average, if at the one-sided 5 % level every cell is shown to be less than
    `tolerance` below and none is shown to be below 0. It fails by the average or by a cell shown to
    be below 0, so the smaller of these p values is doubled.
    """
    lowest = min(margins, key=lambda margin: margin.p_below())
    below = replace(lowest, allowance=0.0).p_below() < _CELL
    p_lowest = len(margins) * lowest.p_below()
    p_fails = min(1.0, 2 * min(average.p_below(), p_lowest))
    if max(margin.p_above(-tolerance) for margin in margins) > _CELL or below:
        return Evidence(1.0, p_fails, lowest)
    return Evidence(average.p_above(), p_fails, average)


def _some_above_all(hypothesis: SomeAboveAll, source: Source) -> Evidence | None:
    rows = [_estimates(row, source) for row in hypothesis.margins]
    table = [[_above(margin) for margin in row] for row in rows if row is not None]
    if len(table) < len(rows):
        return None
    by_candidate = any_of([all_of(row) for row in table])
    by_rival = all_of([any_of(column) for column in zip(*table, strict=True)])
    return Evidence(by_candidate.p_holds, by_rival.p_fails, by_candidate.margin)


def _votes(satisfied: int, seeds: int) -> Evidence | None:
    """Return the evidence of a sign test that more than half of all seeds satisfy a claim."""
    if not seeds:
        return None
    p_holds = float(bdtrc(satisfied - 1, seeds, 0.5)) if satisfied else 1.0
    return Evidence(p_holds, float(bdtr(satisfied, seeds, 0.5)))
