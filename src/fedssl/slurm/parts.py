"""What is left of a job that ended early: the members of a group that have not finished."""

from collections.abc import Iterable
from typing import Any


def members(job: Any) -> list[Any]:
    """Return the jobs of a group in a fixed order, or the job itself."""
    return sorted(job.jobs, key=lambda member: member.jobid) if job.is_group() else [job]


async def unfinished(job: Any) -> Any | None:
    """Return the part of a job that has not finished, or None.

    Members of a group that have finished are reported as finished jobs of their own.
    """
    done = [member for member in members(job) if await _finished(member)]
    if not done:
        return job
    if len(done) == len(members(job)):
        return None
    return _split(job, done)


async def _finished(job: Any) -> bool:
    """Return whether all outputs are there, and none is marked as being written.

    The job marks them itself when it starts, and removes the marks when it succeeds.
    """
    persistence = job.dag.workflow.persistence
    persistence._clear_cache()  # the marks were changed on another machine
    there = [await output.exists() for output in job.output]
    return bool(there) and all(there) and not await persistence.incomplete(job)


def _split(group: Any, done: Iterable[Any]) -> Any:
    """Replace a running group by two: one that is reported as finished, and the returned rest."""
    dag, scheduler = group.dag, group.dag.workflow.scheduler
    resources = group.scheduler_resources
    # Not from the factory, which hands out a group that began with these jobs and has grown since.
    finished, rest = (
        type(group)(group.groupid, jobs, group.global_resources)
        for jobs in (frozenset(done), group.jobs - frozenset(done))
    )
    with scheduler._lock:
        for part in (finished, rest):
            part.finalize()
            part.attempt = group.attempt
            dag._group.update(dict.fromkeys(part.jobs, part))
        # What the group was given from the run's resources goes back when the rest ends.
        finished._scheduler_resources = dict.fromkeys(resources, 0)
        rest._scheduler_resources = resources
        for running in (scheduler.running, dag._running):
            running.remove(group)
            running.update((finished, rest))
    scheduler.finish_callback(finished)
    return rest
