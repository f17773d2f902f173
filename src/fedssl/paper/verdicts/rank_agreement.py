"""Whether a column ranks its rows as the paper does: Kendall's tau with an interval."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from math import comb, sqrt

from fedssl.evaluation.statistics import ALPHA, critical
from fedssl.paper.verdicts.seed_spread import Spread


@dataclass(frozen=True)
class Ranked:
    """A row of a column: the mean of the seeds, how many there are, and the paper's number."""

    measured: float
    seeds: int
    published: float


@dataclass(frozen=True)
class RankAgreement:
    """Kendall's tau-b of the rows, and the 95 % interval over seeds, ours and the paper's.

    `undecided` pairs of rows are too close to be ranked. The interval is None without a spread.
    """

    tau: float
    interval: tuple[float, float] | None
    rows: int
    undecided: int


def rank_agreement(
    rows: Sequence[Ranked], *, spread: Spread | None, paired: Spread | None = None
) -> RankAgreement | None:
    """Return how well the measured order of rows agrees with the published one.

    Of N pairs of rows, C are shown to be ordered alike and D the other way round, both by t tests
    at the level 5 %/(2 N), and U are undecided. Then tau of the true orders lies within
    (C - D - U) / N and (C - D + U) / N with a probability of at least 95 %.

    Args:
        rows: The rows with both numbers.
        spread: Standard deviation of a seed, for the paper's single runs.
        paired: The same between rows of the same seeds; `spread` if absent.

    Returns:
        None with fewer than two rows, or where one side does not rank them at all.
    """
    published = [row.published for row in rows]
    measured = [row.measured for row in rows]
    if len(rows) < 2 or min(len(set(published)), len(set(measured))) < 2:
        return None
    # Imported here because it takes half a second, and planning imports this module.
    from scipy.stats import kendalltau

    tau = float(kendalltau(published, measured).statistic)
    pairs = comb(len(rows), 2)
    if spread is None:
        return RankAgreement(tau, None, len(rows), pairs)
    signs = [
        _order(a, b, spread=spread, paired=paired or spread, alpha=ALPHA / (2 * pairs))
        for a, b in combinations(rows, 2)
    ]
    undecided = signs.count(0)
    interval = (sum(signs) - undecided) / pairs, (sum(signs) + undecided) / pairs
    return RankAgreement(tau, interval, len(rows), undecided)


def _order(a: Ranked, b: Ranked, *, spread: Spread, paired: Spread, alpha: float) -> int:
    """Return 1 for a pair ordered alike, -1 for one ordered the other way, 0 for one too close."""
    ours = _sign(a.measured - b.measured, sqrt(1 / a.seeds + 1 / b.seeds), paired, alpha=alpha)
    theirs = _sign(a.published - b.published, sqrt(2), spread, alpha=alpha)
    return ours * theirs


def _sign(difference: float, factor: float, spread: Spread, *, alpha: float) -> int:
    """Return the sign of a difference that is significant, else 0."""
    if abs(difference) <= critical(alpha, degrees=spread.degrees) * spread.sd * factor:
        return 0
    return 1 if difference > 0 else -1
