"""`fedssl explain`: list the jobs that would run, with the reasons and the estimated cost."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fedssl.command.output import Config, Configfiles, Json, print_json, print_line, working
from fedssl.errors import UserError

if TYPE_CHECKING:
    from fedssl.command.dry_run import PlannedJob
    from fedssl.command.project import Project

_SHOWN = 8


def explain(
    what: Annotated[
        str, typer.Argument(help="A cell, the first part of a cell's path, or a target.")
    ] = "all",
    configfile: Configfiles = None,
    config: Config = None,
    json: Json = False,
) -> None:
    """Show which jobs would run, why, and the estimated cost."""
    from fedssl.command.costs import Estimator, costs
    from fedssl.command.dry_run import planned_jobs
    from fedssl.command.estimate import print_costs
    from fedssl.command.project import open_project

    project = open_project(configfile or [], config or [])
    prefix = _cell_prefix(what, project)
    with working(f"asking Snakemake which jobs would run for {what}"):
        # For a cell, all jobs are planned, because those of its tables run again, too.
        jobs = planned_jobs(["all"] if prefix else [what], configfile or [], settings=config or [])
    jobs = [job for job in jobs if job.outputs]  # named targets have no outputs and do no work
    chosen = _with_followers(jobs, _own(jobs, prefix, project)) if prefix else jobs
    if json:
        print_json([_as_data(job) for job in chosen])
        return
    if not chosen:
        print_line(f"nothing would run for {what}: settings, code and inputs are unchanged.")
        return
    _print_causes(chosen)
    _print_followers(chosen)
    print_line()
    with working(f"estimating the cost of {len(chosen)} jobs"):
        found = costs(chosen, Estimator.of(project.plan))
    print_costs(found)


def _cell_prefix(what: str, project: "Project") -> str:
    """Return the first part of a cell's path in `what`; empty if `what` is a target.

    Raises:
        UserError: The path starts with a study, but no cell's path starts like it.
    """
    from fedssl.grid.configuration import closest

    results = project.tree.results
    place = re.sub(rf"^({re.escape(results)}/)?((pretrain|evaluate|maps)/)?", "", what.rstrip("/"))
    cells = [cell.path for cell in project.grid.cells]
    whole = next((cell for cell in cells if f"{place}/".startswith(f"{cell}/")), "")
    study, _, rest = place.partition("/")
    if study not in project.config["studies"] or not rest:
        return ""  # a study alone is a target
    beginnings = {"/".join(cell.split("/")[: place.count("/") + 1]) for cell in cells}
    if not whole and place not in beginnings:
        raise UserError(
            f"no cell starts with {place}{closest(place, beginnings)}; `fedssl cells` lists all."
        )
    return f"{whole or place}/"


def _own(jobs: "Iterable[PlannedJob]", prefix: str, project: "Project") -> "list[PlannedJob]":
    """Return the jobs that write to the folders of a cell."""
    below = re.compile(f"{re.escape(project.tree.results)}/[^/]+/{re.escape(prefix)}")
    return [job for job in jobs if any(map(below.match, job.outputs))]


def _with_followers(
    jobs: "Sequence[PlannedJob]", chosen: "Sequence[PlannedJob]"
) -> "list[PlannedJob]":
    """Return the chosen jobs and all jobs that would run because of them, in planned order."""
    from fedssl.command.reasons import follows

    written = {name for job in chosen for name in job.outputs}
    for job in jobs:  # Snakemake lists a job after the jobs whose outputs it reads
        if not written.isdisjoint(follows(job.reason)):
            written.update(job.outputs)
    return [job for job in jobs if not written.isdisjoint(job.outputs)]


def _print_causes(jobs: "Iterable[PlannedJob]") -> None:
    """Print each distinct cause once, with its jobs."""
    by_cause: dict[tuple[str, ...], list[str]] = {}
    for job in jobs:
        if why := _causes(job):
            by_cause.setdefault((job.rule, *why), []).append(_place(job))
    for (rule, *sentences), places in by_cause.items():
        print_line(f"{rule}, {len(places)} {'job' if len(places) == 1 else 'jobs'}:", style="bold")
        for text in sentences:
            print_line(text, indent=2)
        for place in places[:_SHOWN]:
            print_line(f"- {place}", indent=2)
        if len(places) > _SHOWN:
            print_line(f"- and {len(places) - _SHOWN} more; --json lists all", indent=2)


def _print_followers(jobs: "Iterable[PlannedJob]") -> None:
    counts = Counter(job.rule for job in jobs if not _causes(job))
    if counts:
        listed = ", ".join(f"{count} {rule}" for rule, count in counts.items())
        print_line(f"These would run as a consequence: {listed}")


def _causes(job: "PlannedJob") -> list[str]:
    """Return why a job would run, apart from new inputs: changed settings or Snakemake's reason."""
    from fedssl.command.reasons import causes

    return list(job.differs) or causes(job.reason)


def _place(job: "PlannedJob") -> str:
    """Return the wildcards of a job, in the order of its path."""
    return " ".join(job.wildcards.values()) or job.outputs[0]


def _as_data(job: "PlannedJob") -> Mapping[str, Any]:
    from fedssl.command.reasons import follows

    return {
        "rule": job.rule,
        "wildcards": job.wildcards,
        "outputs": list(job.outputs),
        "causes": _causes(job),
        "follows": follows(job.reason),
    }
