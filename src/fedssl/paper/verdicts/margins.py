"""Where a test takes the margins of a claim from: as measured, or as more seeds would give them."""

from dataclasses import dataclass, field
from typing import Protocol

from scipy.special import ndtri

from fedssl.paper.verdicts.contrast import Contrast, Estimate, Measurements
from fedssl.paper.verdicts.hypotheses import Most

_ALLOWANCE = float(ndtri(0.8))  # standard errors by which 1 estimate in 5 turns out worse


class Source(Protocol):
    """Where a test takes its margins from."""

    def estimate(self, contrast: Contrast) -> Estimate | None:
        """Return the estimate of a margin; None without a shared seed or a spread."""

    def votes(self, hypothesis: Most) -> tuple[int, int]:
        """Return how many seeds satisfy a hypothesis, and of how many."""


@dataclass(frozen=True)
class Measured:
    """Margins as measured, each estimated once."""

    measurements: Measurements
    _known: dict[int, tuple[Contrast, Estimate | None]] = field(default_factory=dict)

    def estimate(self, contrast: Contrast) -> Estimate | None:
        """Return the estimate of a margin."""
        if id(contrast) not in self._known:
            self._known[id(contrast)] = contrast, self.measurements.estimate(contrast)
        return self._known[id(contrast)][1]

    def votes(self, hypothesis: Most) -> tuple[int, int]:
        """Return how many seeds satisfy a hypothesis, and of how many."""
        shared = [set(self.measurements.shared_seeds(margin)) for margin in hypothesis.margins]
        seeds = sorted(set.intersection(*shared))
        by_margin = [self.measurements.by_seed(margin, seeds) for margin in hypothesis.margins]
        satisfied = [
            all(value > 0 or (value == 0 and not hypothesis.strict) for value in of_seed)
            for of_seed in zip(*by_margin, strict=True)
        ]
        return sum(satisfied), len(satisfied)


@dataclass(frozen=True)
class Planned:
    """The measured margins as more seeds would give them, on an unlucky day: 4 in 5 are better."""

    source: Source
    seeds: int

    def estimate(self, contrast: Contrast) -> Estimate | None:
        """Return the estimate of a margin."""
        known = self.source.estimate(contrast)
        return None if known is None else known.planned(self.seeds, allowance=_ALLOWANCE)

    def votes(self, hypothesis: Most) -> tuple[int, int]:
        """Return votes in the measured proportion."""
        satisfied, seeds = self.source.votes(hypothesis)
        return round(satisfied * self.seeds / max(seeds, 1)), self.seeds if seeds else 0
