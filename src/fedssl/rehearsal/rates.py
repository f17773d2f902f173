"""Measure the time, reading and memory of a kind of job, and keep the results in a table."""

import resource
import time
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Self

import pandas as pd
import torch

from fedssl.ahead import seconds_waited
from fedssl.data.banks import verified
from fedssl.files import atomic_write, read_json, write_json

_IO = Path("/proc/self/io")


@dataclass(frozen=True)
class Rate:
    """What steps of a kind of job took, for one modality.

    Attributes:
        rule: rule whose jobs have this rate.
        study, arch: as in a cell.
        method: of a training; empty for a scoring.
        kind: digest of what the cost of a training step depends on, or the task of a scoring.
        modality: "image" or "audio".
        samples: number of training samples of a training, or of all samples of a scored task.
        steps: number of steps that were measured.
        seconds_per_step: mean time of a step.
        seconds_per_sample: mean time of a sample.
        fixed_seconds: time of a client, or of a checkpoint, in addition to its steps.
        setup_seconds: time of a job before its first step, and what the first steps take longer.
        waiting: share of the time in which a step waited for its samples.
        read_mb_s: MB that were read in a second, from a disk or from the page cache.
        host_mb, gpu_mb: peak memory of the job; `gpu_mb` is 0 on a CPU.
        device: name of the GPU, or "CPU".
        threads: number of torch threads.
        precision: of the training; empty for a scoring.
    """

    rule: str
    study: str
    arch: str
    method: str
    kind: str
    modality: str
    samples: int
    steps: int
    seconds_per_step: float
    seconds_per_sample: float
    fixed_seconds: float
    setup_seconds: float
    waiting: float
    read_mb_s: float
    host_mb: float
    gpu_mb: float
    device: str
    threads: int
    precision: str = ""


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


def write_rates(rates: Iterable[Rate], path: str | Path) -> None:
    """Write the rates of one job as JSON."""
    write_json(path, [asdict(rate) for rate in rates])


def write_table(files: Iterable[str], path: str | Path) -> None:
    """Join the rates of all jobs to one table, as CSV."""
    rows = [row for file in files for row in read_json(file)]
    table = pd.DataFrame(rows, columns=[field.name for field in fields(Rate)])
    with atomic_write(path) as temporary:
        table.to_csv(temporary, index=False, lineterminator="\n")


def read_table(path: str | Path) -> list[Rate]:
    """Return the rates of a rehearsal; empty if there has been none."""
    if not Path(path).is_file():
        return []
    rows = pd.read_csv(path, keep_default_na=False).to_dict("records")
    return [Rate(**{str(name): value for name, value in row.items()}) for row in rows]
