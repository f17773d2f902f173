"""What Snakemake would run, and why, as data instead of text."""

import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from fedssl.command.project import project_folder
from fedssl.errors import UserError

_CHILD = str(Path(__file__).with_name("listener.py"))


@dataclass(frozen=True)
class PlannedJob:
    """A job that would run: its rule, wildcards, outputs and Snakemake's reason.

    `differs` says how the settings that its record tells of are not those declared.
    """

    rule: str
    wildcards: dict[str, str]
    outputs: tuple[str, ...]
    reason: str
    differs: tuple[str, ...] = ()


def planned_jobs(
    targets: Sequence[str], configfiles: Sequence[str | Path], *, settings: Sequence[str] = ()
) -> list[PlannedJob]:
    """Return the jobs that `snakemake` would run for some targets; none for no targets means all.

    Runs in the working directory, which must be the project's.

    Raises:
        UserError: Snakemake refused; says what it said.
    """
    if project_folder() != Path.cwd():
        raise UserError(
            f"{Path.cwd()} has no Snakefile of this project; change to the project's folder."
        )
    options = ["--configfile", *map(str, configfiles)] if configfiles else []
    options += ["--config", *settings] if settings else []
    with tempfile.TemporaryDirectory() as folder:
        answer = Path(folder, "jobs.json")
        command = [sys.executable, "-P", _CHILD, str(answer), *options, "--", *targets]
        ran = subprocess.run(command, capture_output=True, text=True)
        if ran.returncode or not answer.is_file():
            raise UserError(f"Snakemake refused: {_complaint(ran.stdout + ran.stderr)}")
        jobs = json.loads(answer.read_text(encoding="utf-8"))
    tuples = ("outputs", "differs")
    return [PlannedJob(**job | {name: tuple(job[name]) for name in tuples}) for job in jobs]


def _complaint(printed: str) -> str:
    """Return what Snakemake printed from its error on."""
    lines = [line.strip() for line in printed.splitlines() if line.strip()]
    starts = [place for place, line in enumerate(lines) if "Error" in line or "Exception" in line]
    return " ".join(lines[starts[0] :] if starts else lines[-3:])
