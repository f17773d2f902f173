"""Who runs the jobs: this machine, whose GPUs and cores they share, or a cluster."""

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from fedssl.gpus import visible_gpus
from fedssl.grid.snakemake_api import num_cores, offer, offered, runs_here, set_amount

_TRAINING = ("pretrain", "pretrain_centralised")


@dataclass(frozen=True)
class Machine:
    """What a job may be given.

    Attributes:
        training_gpus: GPUs of a job that trains or embeds many samples.
        scoring_gpus: GPUs of a job that embeds a task. A cluster gives it CPU cores, which are free
            while other jobs wait for GPUs. This machine's GPUs cost nothing.
        most_threads: threads of a job on a GPU, for each of its GPUs.
        given_gpus: GPUs of a job of a rule, as `--set-resources pretrain:gpu=4` sets them.
    """

    training_gpus: int = 1
    scoring_gpus: int = 0
    most_threads: int = sys.maxsize
    given_gpus: Mapping[str, int] = field(default_factory=dict)

    def gpus(self, rule: str) -> int:
        """Return the GPUs of a job of a rule that trains."""
        return self.given_gpus.get(rule, self.training_gpus)


def find_machine(workflow: Any) -> Machine:
    """Return what jobs may be given, and tell Snakemake how many GPUs this machine has."""
    if not runs_here(workflow):
        # The members of a group run one after another, so the group asks for the cores and the
        # memory of one member and the time of all. See `turn` in the rules.
        offer(workflow, turn=1)
        return Machine(given_gpus=_given(workflow))
    if not (gpus := len(visible_gpus())):
        return Machine(training_gpus=0)
    offer(workflow, gpu=gpus)
    given = {rule: min(count, offered(workflow, "gpu")) for rule, count in _given(workflow).items()}
    # Else the threads of a training would leave no cores to the jobs of other GPUs. The number of
    # torch threads, which is a setting of the cell, stays as it is.
    cores = num_cores(workflow)
    most = sys.maxsize if cores is None else max(1, cores // gpus)
    return Machine(1, 1, most_threads=most, given_gpus=given)


def _given(workflow: Any) -> dict[str, int]:
    counts = {rule: set_amount(workflow, rule, "gpu") for rule in _TRAINING}
    return {rule: count for rule, count in counts.items() if count is not None}
