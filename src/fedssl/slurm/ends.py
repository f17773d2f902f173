"""What a user is told about a Slurm job that ended early."""

import re
from pathlib import Path

from snakemake_interface_executor_plugins.executors.base import SubmittedJobInfo

from fedssl.slurm.queue import GONE

# The job may have been right: it is submitted again, which is not counted as an attempt.
LOST = frozenset({"NODE_FAIL", "BOOT_FAIL", "PREEMPTED"})
# Slurm's own lines in a job's log. Where memory is not limited by cgroups (OverMemoryKill), nothing
# else tells that there was too little: the state is FAILED.
_OVER_MEMORY = re.compile(r"^slurmstepd\S*: error: .*(exceeded memory limit|oom.kill)", re.I | re.M)
_SENTENCES = {
    "TIMEOUT": "reached its time limit of {runtime} minutes",
    "DEADLINE": "reached its deadline",
    "OUT_OF_MEMORY": (
        "was killed because it needed more than the {mem_mb} MB that it asked for; an attempt "
        "asks for at most `limits: mem_mb` of the configuration"
    ),
    "CANCELLED": "was cancelled",
    "PREEMPTED": "was preempted by another job",
    "NODE_FAIL": "lost its node",
    "BOOT_FAIL": "lost its node, which did not start",
    "FAILED": "ended with an error",
    GONE: "is no longer known to Slurm and has left no result",
}
_STUCK = (
    "could never have started (Slurm's reason: {state}) and was taken out of the queue; it asked "
    "for {runtime} minutes, {mem_mb} MB and {threads} cores: change these, or the partition"
)


def true_state(state: str, log: Path | None) -> str:
    """Return the state in which a job ended, or OUT_OF_MEMORY if Slurm says so in the job's log."""
    if state not in ("FAILED", "CANCELLED") or not (log and log.exists()):
        return state
    return "OUT_OF_MEMORY" if _OVER_MEMORY.search(log.read_text(errors="replace")) else state


def end_of(info: SubmittedJobInfo, state: str) -> str:
    """Return a sentence on the end of a job, by its state or the reason why it cannot start."""
    job = info.job
    asked = {name: job.resources.get(name, "?") for name in ("runtime", "mem_mb")}
    words = _SENTENCES.get(state, _STUCK)
    return (
        f"Slurm job {info.external_jobid} {words.format(state=state, threads=job.threads, **asked)}"
    )
