"""What Snakemake would run, and why, as data instead of text.

A child process of its own: Snakemake keeps state in modules, and its text is meant for people.
"""

import json
import logging
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fedssl.errors import UserError


@dataclass(frozen=True)
class PlannedJob:
    """A job that would run: its rule, wildcards, outputs and Snakemake's reason."""

    rule: str
    wildcards: dict[str, str]
    outputs: tuple[str, ...]
    reason: str


def planned_jobs(targets: Sequence[str], configfiles: Sequence[str | Path]) -> list[PlannedJob]:
    """Return the jobs that `snakemake` would run for some targets; none for no targets means all.

    Runs in the working directory, which must be the project's.

    Raises:
        UserError: Snakemake refused; says what it said.
    """
    if not Path("Snakefile").is_file():
        raise UserError(f"{Path.cwd()} has no Snakefile; change to the project's folder.")
    options = ["--configfile", *map(str, configfiles)] if configfiles else []
    with tempfile.TemporaryDirectory() as folder:
        answer = Path(folder, "jobs.json")
        command = [sys.executable, "-m", __name__, str(answer), *options, "--", *targets]
        ran = subprocess.run(command, capture_output=True, text=True)
        if ran.returncode or not answer.is_file():
            raise UserError(f"Snakemake refused: {_complaint(ran.stdout + ran.stderr)}")
        jobs = json.loads(answer.read_text(encoding="utf-8"))
    return [PlannedJob(**job | {"outputs": tuple(job["outputs"])}) for job in jobs]


def _complaint(printed: str) -> str:
    """Return what Snakemake printed from its error on."""
    lines = [line.strip() for line in printed.splitlines() if line.strip()]
    starts = [place for place, line in enumerate(lines) if "Error" in line or "Exception" in line]
    return " ".join(lines[starts[0] :] if starts else lines[-3:])


class _Listener(logging.Filter):
    """Keeps what Snakemake says of each job; a filter, because Snakemake removes handlers."""

    def __init__(self) -> None:
        super().__init__()
        self.jobs: list[dict[str, Any]] = []

    def filter(self, record: logging.LogRecord) -> bool:
        from snakemake_interface_logger_plugins.common import LogEvent

        if getattr(record, "event", None) == LogEvent.JOB_INFO:
            said = vars(record)
            self.jobs.append(
                {
                    "rule": said["rule_name"],
                    "wildcards": dict(said["wildcards"] or {}),
                    "outputs": [str(output) for output in said["output"]],
                    "reason": said["reason"],
                }
            )
        return True


def main(answer: str, arguments: list[str]) -> None:
    """Run `snakemake --dry-run` and write its jobs as JSON."""
    from snakemake.cli import main as snakemake
    from snakemake.logging import logger

    listener = _Listener()
    logger.addFilter(listener)
    # The workflow reads its targets from the command line.
    sys.argv = ["snakemake", "--dry-run", *arguments]
    try:
        snakemake(sys.argv[1:])
    except SystemExit as end:
        if not end.code:
            Path(answer).write_text(json.dumps(listener.jobs), encoding="utf-8")
        raise


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
