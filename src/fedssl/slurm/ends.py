"""What a user is told about a Slurm job that ended early."""

from snakemake_interface_executor_plugins.executors.base import SubmittedJobInfo

from fedssl.slurm.queue import GONE

# The job may have been right: it is submitted again, which is not counted as an attempt.
LOST = frozenset({"NODE_FAIL", "BOOT_FAIL", "PREEMPTED"})
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


def end_of(info: SubmittedJobInfo, state: str) -> str:
    """Return a sentence on the end of a job, by its state or the reason why it cannot start."""
    job = info.job
    asked = {name: job.resources.get(name, "?") for name in ("runtime", "mem_mb")}
    words = _SENTENCES.get(state, _STUCK)
    return (
        f"Slurm job {info.external_jobid} {words.format(state=state, threads=job.threads, **asked)}"
    )
