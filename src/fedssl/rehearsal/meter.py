"""Measure the time, reading and memory of a kind of job."""

import resource
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import torch

from fedssl.ahead import seconds_waited
from fedssl.data.banks import verified
from fedssl.rehearsal.rates import Rate

_IO = Path("/proc/self/io")


class Meter:
    """Measures the block of a `with` statement: time, waiting, reading and memory."""

    def __init__(self, device: torch.device) -> None:
        """Measure work on a device."""
        self._device = device
        self._made = _now()
        self.seconds = 0.0

    def __enter__(self) -> Self:
        """Start, once the device has nothing left to do."""
        self._finish()
        self._waited, self._read, self._started = seconds_waited(), _read(), _now()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop, once the device has computed everything."""
        self._finish()
        self.seconds = _now() - self._started
        self._waited, self._read = seconds_waited() - self._waited, _read() - self._read

    def rate(
        self,
        of: Mapping[str, Any],
        *,
        modality: str,
        samples: int,
        steps: int,
        passed: int,
        warm_up: float,
        seconds: float | None = None,
        fixed_seconds: float = 0.0,
    ) -> Rate:
        """Return the rate of the block.

        Args:
            of: the fields of `Rate` that name the job.
            modality: modality of the samples.
            samples: as in `Rate`.
            steps: number of steps in the block.
            passed: number of samples in the block.
            warm_up: seconds that the steps before the block would have taken in it.
            seconds: time of the steps; by default that of the block.
            fixed_seconds: as in `Rate`.
        """
        seconds = self.seconds if seconds is None else seconds
        gpu = self._device.type == "cuda"
        return Rate(
            **of,
            modality=modality,
            samples=samples,
            steps=steps,
            seconds_per_step=round(seconds / steps, 6),
            seconds_per_sample=round(seconds / passed, 8),
            fixed_seconds=round(fixed_seconds, 6),
            setup_seconds=round(max(self._started - self._made - warm_up, 0.0), 6),
            waiting=round(self._waited / self.seconds, 3),
            read_mb_s=round(self._read / 1e6 / self.seconds, 1),
            host_mb=round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
            gpu_mb=round(torch.cuda.max_memory_reserved() / 1e6) if gpu else 0,
            device=torch.cuda.get_device_name() if gpu else "CPU",
            threads=torch.get_num_threads(),
        )

    def _finish(self) -> None:
        if self._device.type == "cuda":
            torch.cuda.synchronize()


# Blocks of a bank are verified once on a node. A rehearsal is so short that this would dominate it,
# so neither the time nor the bytes count.
def _now() -> float:
    return time.perf_counter() - verified.seconds_waited()


def _read() -> int:
    """Return the bytes that this process has read, also from the page cache; 0 if unknown."""
    if not _IO.is_file():
        return 0
    lines = (line.split(": ") for line in _IO.read_text(encoding="utf-8").splitlines())
    return int(dict(lines)["rchar"]) - verified.bytes_verified()
