"""What a run leaves for the person who comes back to it: the cells' status, and what failed."""

import csv
import json
import logging
import re
import shlex
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.console import Console
from snakemake_interface_logger_plugins.common import LogEvent

from fedssl.experiments import Cell, Grid
from fedssl.files import atomic_write
from fedssl.paths import Tree

_AXES = ("study", "method", "arch", "aggregator", "split", "variant", "seed")


@dataclass(frozen=True)
class Failure:
    """One failed job: its rule, first output, log file and cause."""

    rule: str
    output: str
    log: str
    cause: str


class FailureCollector(logging.Handler):
    """Listens to Snakemake and keeps the last failure of each job."""

    def __init__(self) -> None:
        """Start with no failure."""
        super().__init__(logging.ERROR)
        self._found: dict[str, Failure] = {}

    def emit(self, record: logging.LogRecord) -> None:
        """Keep the record if it tells of a failed job."""
        if getattr(record, "event", None) != LogEvent.JOB_ERROR:
            return
        output = next(iter(record.output), "")  # type: ignore[attr-defined]
        log = next(iter(record.log), "")  # type: ignore[attr-defined]
        cause = record.rule_msg or _last_error(log)  # type: ignore[attr-defined]
        rule = record.rule_name  # type: ignore[attr-defined]
        self._found[output] = Failure(rule, output, log, cause)

    def failures(self) -> list[Failure]:
        """Return the jobs whose last attempt failed: those whose output is still missing."""
        return [failure for failure in self._found.values() if not Path(failure.output).exists()]


def report_failures(failures: Sequence[Failure], arguments: Sequence[str]) -> None:
    """Print each failed job with cause and log, and the command that retries just those."""
    console = Console(stderr=True, highlight=False, markup=False, soft_wrap=True)
    if not failures:
        return
    console.print(f"\n{len(failures)} failed:", style="bold red")
    for failure in failures:
        console.print(f"  {failure.rule}  {failure.output}")
        console.print(f"    cause  {failure.cause or 'none reported; see the log'}")
        console.print(f"    log    {failure.log or 'none'}")
    console.print("retry just these, and what they need, with:")
    console.print(f"  {retry_command(failures, arguments)}")


def retry_command(failures: Iterable[Failure], arguments: Sequence[str]) -> str:
    """Return the command that was given, without its targets, for the failed outputs only."""
    return shlex.join(["snakemake", *arguments, "--", *(failure.output for failure in failures)])


def write_cells(grid: Grid, tree: Tree) -> None:
    """Write `<results>/cells.csv`: every declared cell, its settings, path and status."""
    path = Path(tree.results) / "cells.csv"
    with atomic_write(path) as temporary, temporary.open("w", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=(*_AXES, "status", "path", "settings"))
        writer.writeheader()
        for cell in grid.cells:
            extra = {
                "status": status(grid, cell, tree),
                "path": tree.model(cell),
                "settings": json.dumps(grid.settings(cell)),
            }
            writer.writerow({**asdict(cell), **extra})


def status(grid: Grid, cell: Cell, tree: Tree) -> str:
    """Return not-run, pretrained (scores are missing) or done."""
    if not Path(tree.model(cell)).is_file():
        return "not-run"
    metrics = (tree.metric(cell, task.task, "knn") for task in grid.tasks(cell.study))
    return "done" if all(Path(metric).is_file() for metric in metrics) else "pretrained"


def _last_error(log: str) -> str:
    """Return the last error line that a job wrote to its log."""
    path = Path(log)
    if not log or not path.is_file():
        return ""
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    errors = [line for line in lines if " ERROR " in line or re.match(r"\w[\w.]*Error\b", line)]
    return errors[-1].split(" ERROR ")[-1] if errors else ""
