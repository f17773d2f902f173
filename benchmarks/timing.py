"""Timing that survives a noisy machine: interleaved runs, medians, ratios."""

import statistics
import time
from collections.abc import Callable, Mapping


def interleaved(makers: Mapping[str, Callable[[], object]], *, runs: int = 5) -> dict[str, float]:
    """Return each maker's median seconds; all take turns, after one run to warm up."""
    seconds: dict[str, list[float]] = {name: [] for name in makers}
    for run in range(runs + 1):
        for name, make in makers.items():
            started = time.perf_counter()
            make()
            if run:
                seconds[name].append(time.perf_counter() - started)
    return {name: statistics.median(times) for name, times in seconds.items()}


def report(title: str, seconds: Mapping[str, float], *, items: int, unit: str) -> None:
    """Print rates, and how many times as long each one takes as the first."""
    first = next(iter(seconds.values()))
    print(f"\n{title}")
    for name, value in seconds.items():
        print(f"  {name:34s} {items / value:10.0f} {unit:9s} {value / first:6.2f} x the time")
