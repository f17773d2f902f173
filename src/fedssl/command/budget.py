"""The budget of a run: the time, memory and storage of each target, and limits too small for it."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

import pandas as pd

from fedssl.command.costs import ARITHMETIC, FINISHED, REHEARSAL, Estimator, JobCost
from fedssl.command.dry_run import PlannedJob, planned_jobs
from fedssl.command.project import open_project
from fedssl.files import atomic_write
from fedssl.grid.plan import Plan
from fedssl.paper.plan import target_files
from fedssl.rehearsal.rates import Rate, read_table

_DIGITS = 4  # of hours: the jobs of a demo take seconds
_GPUS = (1, 4, 16)
# Rules whose repeated jobs continue where the last attempt stopped.
_RESUMABLE = ("pretrain", "fine_tune", "score_rounds", "bank")


def write_budget(path: str, *, configfiles: Sequence[str], settings: Sequence[str]) -> None:
    """Write the budget of every target and study, and of all together, as CSV.

    A row has the jobs that the target still needs, with the jobs before them, and says how many of
    them are estimated from what. Jobs of unknown cost are counted, but cost nothing here. Hours on
    N GPUs are at best: they leave out waiting for other jobs, for nodes, and for CPU cores.
    """
    plan = open_project(configfiles, settings).plan
    jobs = planned_jobs(["all"], configfiles, settings=settings)
    rates = read_table(plan.paths.rehearsal())
    costs = Estimator.of(plan).by_output(jobs)
    rows = [
        {"target": name, **_row(plan, _needed(files, jobs), costs, rates)}
        for name, files in _targets(plan).items()
    ]
    with atomic_write(path) as temporary:
        pd.DataFrame(rows).to_csv(temporary, index=False, lineterminator="\n")


def _targets(plan: Plan) -> dict[str, list[str]]:
    """Return target -> its files."""
    single = {name: [file] for name, file in target_files(plan).items()}
    studies = {study: list(target_files(plan, study).values()) for study in plan.studies}
    return {**single, **studies, "all": list(target_files(plan).values())}


def _needed(files: Iterable[str], jobs: Sequence[PlannedJob]) -> list[PlannedJob]:
    """Return the jobs that some files need, directly or through other jobs."""
    makers = {output: job for job in jobs for output in job.outputs}
    found: dict[str, PlannedJob] = {}
    waiting = list(files)
    while waiting:
        job = makers.get(waiting.pop())
        if job is not None and job.outputs[0] not in found:
            found[job.outputs[0]] = job
            waiting += job.inputs
    return list(found.values())


def _row(
    plan: Plan,
    jobs: Sequence[PlannedJob],
    costs: Mapping[str, JobCost | None],
    rates: Sequence[Rate],
) -> dict[str, object]:
    known = [(job, cost) for job in jobs if (cost := costs[job.outputs[0]])]
    gpu = sum(cost.seconds for _, cost in known if not cost.cores) / 3600
    core = sum(cost.seconds * cost.cores for _, cost in known) / 3600
    longest = max((cost.seconds for _, cost in known if not cost.cores), default=0.0) / 3600
    studies = {job.wildcards.get("study") for job in jobs}
    memory = [rate for rate in rates if rate.study in studies]
    return {
        "jobs": len(jobs),
        "estimated_from": _sources(len(jobs) - len(known), [cost for _, cost in known]),
        "gpu_hours": round(gpu, _DIGITS),
        "core_hours": round(core, _DIGITS),
        **{f"hours_on_{n}_gpu": round(max(gpu / n, longest), _DIGITS) for n in _GPUS},
        "disk_gb": round(sum(cost.disk_bytes for _, cost in known) / 1e9, 2),
        "host_mb": max((rate.host_mb for rate in memory), default=None),
        "gpu_mb": max((rate.gpu_mb for rate in memory), default=None),
        "too_small": "; ".join(_too_small(plan, known, memory)),
    }


def _sources(unknown: int, known: Sequence[JobCost]) -> str:
    """Return how many jobs are estimated from finished jobs, a rehearsal, arithmetic or nothing."""
    other = {REHEARSAL, ARITHMETIC}
    counts = Counter("".join(cost.sources & other) or FINISHED for cost in known)
    counts["unknown"] = unknown
    named = (f"{count} {name}" for name, count in sorted(counts.items()) if count)
    return ", ".join(named)


def _too_small(
    plan: Plan, known: Sequence[tuple[PlannedJob, JobCost]], memory: Sequence[Rate]
) -> Iterable[str]:
    """Yield the limits that are too small, each with what it would have to be."""
    limits = plan.config["limits"]
    for kind, limit in (("host_mb", limits["mem_mb"]), ("gpu_mb", limits["gpu_mem"])):
        need = max((getattr(rate, kind) for rate in memory), default=0)
        if limit and need > limit:
            name = {"host_mb": "mem_mb", "gpu_mb": "gpu_mem"}[kind]
            yield f"limits.{name}: {limit}, needed {need:.0f}"
    whole = [(cost.seconds / 60, job) for job, cost in known if not job.rule.startswith(_RESUMABLE)]
    minutes, job = max(whole, key=lambda one: one[0], default=(0.0, None))
    if job is not None and minutes > limits["runtime"]:
        yield f"limits.runtime: {limits['runtime']}, needed {minutes:.0f} by {job.rule}"
