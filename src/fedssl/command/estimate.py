"""`fedssl estimate`: what a target will cost, from finished jobs, a rehearsal or arithmetic."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from fedssl.command.output import (
    Config,
    Configfiles,
    Json,
    print_json,
    print_line,
    print_table,
    working,
)

if TYPE_CHECKING:
    from fedssl.command.costs import Cost


def estimate(
    target: Annotated[str, typer.Argument(help="A file or named target, such as fssuavl_table2.")],
    configfile: Configfiles = None,
    config: Config = None,
    json: Json = False,
) -> None:
    """Estimate the hours, disk space and bytes sent of all jobs that a target still needs."""
    from fedssl.command.costs import Estimator, costs
    from fedssl.command.dry_run import planned_jobs
    from fedssl.command.project import open_project

    project = open_project(configfile or [], config or [])
    with working(f"asking Snakemake which jobs {target} still needs"):
        jobs = planned_jobs([target], configfile or [], settings=config or [])
    with working(f"estimating the cost of {len(jobs)} jobs"):
        found = costs(jobs, Estimator.of(project.plan))
    if json:
        print_json([asdict(cost) for cost in found])
    elif found:
        print_costs(found)
    else:
        print_line("nothing to do")


def print_costs(found: "Sequence[Cost]") -> None:
    """Print one line per rule, the totals by device, and the rules of unknown cost."""
    header = ("rule", "jobs", "from", "time", "device", "disk", "sent")
    print_table(header, [_row(cost) for cost in found])
    unknown = [f"{cost.jobs} {cost.rule}" for cost in found if cost.hours is None]
    hours: dict[str, float] = {}
    for cost in found:
        if cost.hours is not None:
            hours[str(cost.device)] = hours.get(str(cost.device), 0.0) + cost.hours
    print_line()
    if hours:
        disk = sum(cost.disk_bytes or 0.0 for cost in found)
        sent = sum(cost.sent_bytes or 0.0 for cost in found)
        times = ", ".join(f"{duration(own)} on {device}" for device, own in hours.items())
        line = f"{times}, {size(disk)} of disk, {size(sent)} sent by clients"
        print_line(f"{line}; the times are for running the jobs one after another.")
    if any("arithmetic" in (cost.source or "") for cost in found):
        print_line(
            "By arithmetic: operations over stated speed, without waiting for data. "
            "`snakemake rehearsal` measures a few steps of each kind of job instead, and finished "
            "jobs replace both."
        )
    if unknown:
        listed = ", ".join(unknown)
        print_line(f"unknown, because no such job has finished in this results folder: {listed}.")


def _row(cost: "Cost") -> tuple[object, ...]:
    if cost.hours is None or cost.disk_bytes is None or cost.sent_bytes is None:
        return (cost.rule, cost.jobs, *["unknown"] * 5)
    source = f"{cost.measured} finished" if cost.measured else cost.source
    sizes = (size(cost.disk_bytes), size(cost.sent_bytes))
    return (cost.rule, cost.jobs, source, duration(cost.hours), cost.device, *sizes)


def duration(hours: float) -> str:
    """Return a duration with a suitable unit."""
    for unit, share in (("h", 1), ("min", 60)):
        if hours * share >= 1:
            return f"{hours * share:,.1f} {unit}"
    return f"{hours * 3600:.1f} s"


def size(count: float) -> str:
    """Return a number of bytes with a suitable unit."""
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.3g} {unit}"
        count /= 1000
    return f"{count:.3g} TB"
