"""The time, reading and memory that a kind of job was measured to need, and a table of them."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import pandas as pd

from fedssl.files import atomic_write, read_json, reading, write_json
from fedssl.frames import read_csv


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
    rows = read_csv(path, keep_default_na=False).to_dict("records")
    with reading(path):
        return [Rate(**{str(name): value for name, value in row.items()}) for row in rows]
