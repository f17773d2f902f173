"""Who runs the jobs: this machine, whose GPUs and cores they share, or a cluster."""

import sys
from dataclasses import dataclass
from typing import Any

from fedssl.gpus import visible_gpus
from fedssl.grid.snakemake_api import num_cores, offer, runs_here


@dataclass(frozen=True)
class Machine:
    """What a job may be given.

    Attributes:
        training_gpus: GPUs of a job that trains or embeds many samples.
        scoring_gpus: GPUs of a job that embeds a task. A cluster gives it CPU cores, which are free
            while other jobs wait for GPUs. This machine's GPUs cost nothing.
        most_threads: threads of a job on a GPU.
    """

    training_gpus: int = 1
    scoring_gpus: int = 0
    most_threads: int = sys.maxsize


def find_machine(workflow: Any) -> Machine:
    """Return what jobs may be given, and tell Snakemake how many GPUs this machine has."""
    if not runs_here(workflow):
        # The members of a group run one after another, so the group asks for the cores and the
        # memory of one member and the time of all. See `turn` in the rules.
        offer(workflow, turn=1)
        return Machine()
    if not (gpus := len(visible_gpus())):
        return Machine(training_gpus=0)
    offer(workflow, gpu=gpus)
    # Else the threads of a training would leave no cores to the jobs of other GPUs. The number of
    # torch threads, which is a setting of the cell, stays as it is.
    cores = num_cores(workflow)
    return Machine(1, 1, sys.maxsize if cores is None else max(1, cores // gpus))
