"""Ask Snakemake which jobs it would run, and why."""

import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from fedssl.command.project import project_folder
from fedssl.errors import UserError
from fedssl.grid.complaint import refusal

_CHILD = str(Path(__file__).with_name("listener.py"))


@dataclass(frozen=True)
class PlannedJob:
    """A job that would run, with Snakemake's reason.

    `differs` lists the recorded settings that differ from the configuration, one sentence each.
    """

    rule: str
    wildcards: dict[str, str]
    outputs: tuple[str, ...]
    reason: str
    differs: tuple[str, ...] = ()
    inputs: tuple[str, ...] = ()


def planned_jobs(
    targets: Sequence[str],
    configfiles: Sequence[str | Path],
    *,
    settings: Sequence[str] = (),
    finished: bool = False,
) -> list[PlannedJob]:
    """Return the jobs that `snakemake` would run for some targets; without targets, for all.

    With `finished`, jobs that have finished are returned as well.

    Raises:
        UserError: The working directory is not the project's folder, or Snakemake failed; then the
            message quotes Snakemake's.
    """
    if project_folder() != Path.cwd():
        raise UserError(
            f"{Path.cwd()} has no Snakefile of this project; run this in the project's folder."
        )
    options = ["--configfile", *map(str, configfiles)] if configfiles else []
    options += ["--config", *settings] if settings else []
    # After a kill, Snakemake plans nothing without --rerun-incomplete.
    options += ["--forceall", "--rerun-incomplete"] if finished else []
    # A process of its own: Snakemake replaces the log handlers and exits the process on an error.
    with tempfile.TemporaryDirectory() as folder:
        # The jobs are returned in a file, because rules can print to standard output. With -P, the
        # modules next to the script, such as `diff`, do not hide others of the same name.
        answer = Path(folder, "jobs.json")
        command = [sys.executable, "-P", _CHILD, str(answer), *options, "--", *targets]
        ran = subprocess.run(command, capture_output=True, text=True)
        if ran.returncode or not answer.is_file():
            printed = ran.stdout + ran.stderr
            # A process that memory runs out for is killed, or says so in the middle of a traceback.
            if ran.returncode < 0 or "MemoryError" in printed:
                raise MemoryError
            raise UserError(refusal(printed))
        jobs = json.loads(answer.read_text(encoding="utf-8"))
    tuples = ("inputs", "outputs", "differs")
    return [PlannedJob(**job | {name: tuple(job[name]) for name in tuples}) for job in jobs]
