"""The most that a job may ask for, and how a repeated attempt asks for more."""

import math
from dataclasses import dataclass
from typing import Annotated

from annotated_types import Ge, Le

from fedssl.settings import Megabytes


@dataclass(frozen=True)
class Limits:
    """What the site grants one job; no attempt asks for more. Changing a limit reruns nothing."""

    runtime: Annotated[int, Ge(1), Le(525_600)]
    """Longest time of a job, or of a group of jobs, in minutes: the limit of the partition. A
    pretraining that needs longer resumes in its next attempt."""

    mem_mb: Megabytes
    """Most memory of a job in MB: that of a node, or its share for one GPU."""

    gpu_mem: Megabytes | None
    """Memory of one GPU in MB; null if it is unknown. A pretraining trains only as many clients in
    parallel as should fit."""


def minutes(seconds: float, limit: int, *, attempt: int = 1, least: int = 30) -> int:
    """Return a time limit in whole minutes: `attempt` times the need, from `least` to `limit`."""
    return min(max(least, math.ceil(seconds / 60)) * attempt, limit)


def megabytes(need: float, limit: int, *, attempt: int = 1) -> int:
    """Return the memory to ask for: `attempt` times the need in MB, at most `limit`."""
    # Whole 500 MB, so that small changes of a setting do not give every cell its own number.
    return min(math.ceil(need / 500) * 500 * attempt, limit)
