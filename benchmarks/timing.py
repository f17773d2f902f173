"""Timing that survives a noisy machine: interleaved runs, medians, ratios."""

import json
import statistics
import time
from collections.abc import Callable, Mapping

import torch
from threadpoolctl import threadpool_limits

Work = Mapping[str, Callable[[], object]]
"""The ways to do one piece of work, by name."""


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


def print_turns(works: Mapping[str, Work], *, runs: int) -> None:
    """Print as JSON the seconds of each run of each way on one thread; all ways take turns."""
    torch.set_num_threads(1)
    with threadpool_limits(1):
        found = {title: _turns(work, runs=runs) for title, work in works.items()}
    print(json.dumps(found))


def _turns(work: Work, *, runs: int) -> dict[str, list[dict[str, float]]]:
    seconds: dict[str, list[dict[str, float]]] = {name: [] for name in work}
    for run in range(runs + 1):
        for name, make in work.items():
            wall, cpu = time.perf_counter(), time.process_time()
            make()
            spent = {"wall": time.perf_counter() - wall, "cpu": time.process_time() - cpu}
            if run:  # the first warms up
                seconds[name].append(spent)
    return seconds
