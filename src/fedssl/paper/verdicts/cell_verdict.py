"""The verdict on one measured number next to the published one."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from math import sqrt
from statistics import fmean

from fedssl.evaluation.statistics import ALPHA, critical
from fedssl.paper.verdict import COMPARED, Verdict
from fedssl.paper.verdicts.seed_spread import Spread

_MOST_SEEDS = 1000
_ABOVE = 0.01  # two-sided level of the comparisons with random init


@dataclass(frozen=True)
class Interval:
    """The 95 % prediction interval for one run of the paper, in percent."""

    low: float
    high: float

    @property
    def width(self) -> float:
        """Width in points."""
        return self.high - self.low


@dataclass(frozen=True)
class RandomInit:
    """The untrained encoder of the same row, on the same task by the same protocol.

    `spread` is that of its own seeds and `difference` that of the cells minus their untrained
    encoders, paired by seed.
    """

    values: Mapping[str, float]
    spread: Spread | None
    difference: Spread | None


@dataclass(frozen=True)
class CellVerdict:
    """A verdict, and what it rests on.

    `seeds_needed` is set if more seeds would make an inconclusive interval narrow enough.
    """

    verdict: Verdict
    interval: Interval | None = None
    seeds_needed: int | None = None
    reason: str = ""


def judge_cell(
    values: Mapping[str, float],
    published: float,
    *,
    spread: Spread | None,
    random_init: RandomInit | None,
    resolution: float,
) -> CellVerdict:
    """Return the verdict on a comparable number of a paper-scale run.

    In this order: without a spread `inconclusive`; the published value outside of the prediction
    interval `differs`; an interval wider than `resolution` `inconclusive`, and so is a number
    without a measured random init; published or measured value not above random init
    `uninformative`; else `reproduced`.

    Args:
        values: What each seed measured, in percent; at least one.
        published: One run of the paper, in percent.
        spread: The standard deviation of a seed; None if no cell has two seeds.
        random_init: The row's random init; None if it was not measured.
        resolution: The widest interval, in points, that counts as conclusive.
    """
    if spread is None:
        return CellVerdict(Verdict.INCONCLUSIVE, reason="no spread of seeds: one seed everywhere")
    mean = fmean(values.values())
    half = prediction_half_width(spread, len(values))
    interval = Interval(mean - half, mean + half)
    if not interval.low <= published <= interval.high:
        return CellVerdict(Verdict.DIFFERS, interval)
    if interval.width > resolution:
        needed = seeds_for_width(spread, resolution)
        reason = "" if needed else "seeds scatter too much for any number of seeds"
        return CellVerdict(Verdict.INCONCLUSIVE, interval, needed, reason)
    if random_init is None:
        reason = "random init was not measured"
        return CellVerdict(Verdict.INCONCLUSIVE, interval, reason=reason)
    if reason := _not_above(random_init, values, published, spread=spread):
        return CellVerdict(Verdict.UNINFORMATIVE, interval, reason=reason)
    return CellVerdict(Verdict.REPRODUCED, interval)


def prediction_half_width(spread: Spread, seeds: int) -> float:
    """Return t s sqrt(1 + 1 / k), for one more run next to the mean of k seeds.

    The test samples are the paper's, so their sampling error is common to both and left out.
    """
    return critical(ALPHA, degrees=spread.degrees) * spread.sd * sqrt(1 + 1 / seeds)


def seeds_for_width(spread: Spread, width: float) -> int | None:
    """Return the fewest seeds whose prediction interval is at most `width` wide; None if none is.

    More seeds of every cell make the standard deviation better known, too.
    """

    def suffices(seeds: int) -> bool:
        return 2 * prediction_half_width(spread.with_seeds(seeds), seeds) <= width

    return fewest_seeds(suffices)


def fewest_seeds(suffices: Callable[[int], bool]) -> int | None:
    """Return the smallest number of seeds, at least 2, that suffices; None if 1,000 do not.

    `suffices` must be false below that number and true from it on.
    """
    low, high = 1, 2
    while not suffices(high):
        low, high = high, 2 * high
        if low >= _MOST_SEEDS:
            return None
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if suffices(middle) else (middle, high)
    return high


def expected_by_chance(verdicts: Iterable[Verdict]) -> float:
    """Return how many `differs` a faithful reproduction would have: 5 % of the compared numbers.

    Numbers without an interval count too, and make the expectation an upper bound.
    """
    return ALPHA * sum(verdict in COMPARED for verdict in verdicts)


def _not_above(
    random_init: RandomInit, values: Mapping[str, float], published: float, *, spread: Spread
) -> str:
    """Return which value cannot be told from random init, or nothing.

    The measured one by t of the paired differences, d > t s_d / sqrt(k); the published one, a run,
    by t of p - r, whose variance is s^2 + s_r^2 / k. Both at the 1 % level: of hundreds of numbers
    none should pass by chance.
    """
    shared = [seed for seed in values if seed in random_init.values]
    untrained = random_init.spread or spread
    paired = random_init.difference
    if not shared or paired is None:
        return "no seed was measured with its random init"
    gain = fmean(values[seed] - random_init.values[seed] for seed in shared)
    if gain <= critical(_ABOVE, degrees=paired.degrees) * paired.sd / sqrt(len(shared)):
        return "the measured value is not above random init"
    noise = spread.sd**2, untrained.sd**2 / len(random_init.values)
    degrees = satterthwaite(noise, (spread.degrees, untrained.degrees))
    above = published - fmean(random_init.values.values())
    if above <= critical(_ABOVE, degrees=degrees) * sqrt(sum(noise)):
        return "the published value is not above random init"
    return ""


def satterthwaite(variances: Iterable[float], degrees: Iterable[float]) -> float:
    """Return the degrees of freedom of a sum of variances (Satterthwaite 1946)."""
    parts = [(v, d) for v, d in zip(variances, degrees, strict=True) if v > 0]
    total = sum(v for v, _ in parts)
    return total**2 / sum(v**2 / d for v, d in parts) if parts else float("inf")
