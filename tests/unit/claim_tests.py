"""Measured rows and margins to test claims on."""

from fedssl.paper.verdicts.contrast import Contrast, Estimate, Measurements
from fedssl.paper.verdicts.hypotheses import (
    Most,
)
from fedssl.paper.verdicts.margins import Measured
from fedssl.paper.verdicts.seed_spread import Group, SeedNoise, Series, Spread, fit_noise

KNOWN = 10_000  # degrees of freedom: as good as a known deviation


def key(row: str, column: str = "X kNN") -> tuple[str, str, str]:
    return ("2", row, column)


def group(column: str = "X kNN") -> Group:
    return Group(column, "knn")


def series(row: str, values, column: str = "X kNN") -> Series:
    return Series(row, group(column), {str(seed): float(v) for seed, v in enumerate(values)})


def measured(rows, *, sd: float | None = None, correlation: float = 0.0) -> Measured:
    """Return measurements of {(row, column): values}, their spread fitted or given."""
    cells = {key(*name): series(name[0], values, name[1]) for name, values in rows.items()}
    noise = fit_noise(cells.values())
    if sd is not None:
        spreads = {one.group: Spread(sd, KNOWN, 3) for one in cells.values()}
        noise = SeedNoise(spreads, spreads, correlation)
    return Measured(Measurements(cells, noise))


def gap(a: str, b: str, column: str = "X kNN") -> Contrast:
    return Contrast({key(a, column): 1.0, key(b, column): -1.0})


def margin(value: float, error: float = 1.0, *, degrees: float = KNOWN, seeds: int = 3) -> Estimate:
    return Estimate(value, error, degrees, seeds)


class Given:
    """Margins by their constant: the value, each with a standard error of 1."""

    def __init__(self, *, error: float = 1.0) -> None:
        self.error = error

    def estimate(self, contrast: Contrast) -> Estimate:
        return margin(contrast.constant, self.error)

    def votes(self, hypothesis: Most) -> tuple[int, int]:
        raise NotImplementedError


def constants(*values: float) -> tuple[Contrast, ...]:
    return tuple(Contrast({}, value) for value in values)


def side(row, column="X"):
    return {"table": "2", "row": row, "column": column, "protocol": "knn"}
