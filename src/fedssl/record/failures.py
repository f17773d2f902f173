"""Report the failed jobs of a run: the cause of each, and the command that retries only those."""

import logging
import re
import shlex
import shutil
import sys
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from textwrap import indent

from rich.console import Console
from snakemake_interface_logger_plugins.common import LogEvent

from fedssl.progress import last_logged_round

_FORCE = re.compile(r"-[fF]|-R.*|--force|--forceall|--forcerun(=.*)?")
_STAMP = re.compile(r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} (?=[A-Z]+ )", re.MULTILINE)
# A line of a Slurm log that says what went wrong.
_SAID = re.compile(r"slurmstepd: error|\w+Error: |^OSError|No space left|[Kk]illed")
_SIGNAL = re.compile(r"died with <Signals\.\w+: \d+>")
_FULL = 2**20  # bytes; a disk with less free space is reported as the cause of a failure
# What Snakemake logs when it is interrupted.
_INTERRUPTED = "Terminating processes on user request"
_TRACEBACK = "Traceback (most recent call last):\n"


@dataclass(frozen=True)
class Failure:
    """One failed job: its rule, outputs, log files, cause, and the causes of earlier attempts."""

    rule: str
    outputs: tuple[str, ...]
    log: str
    cause: str
    slurm_log: str = ""
    earlier: tuple[str, ...] = ()

    @property
    def output(self) -> str:
        """The first missing output, by which the job can be retried; empty if none is missing."""
        # Not always the first output: Snakemake restores an archive that a failed job updates.
        return next((output for output in self.outputs if not Path(output).exists()), "")


class FailureCollector(logging.Handler):
    """Collects the last failure of each job from Snakemake's log events."""

    def __init__(self) -> None:
        """Start without failures."""
        super().__init__(logging.INFO)
        self._found: dict[int, Failure] = {}
        self._silent: set[int] = set()
        self._progress = (0, 0)
        self._interrupted = False
        self._signals: list[str] = []
        self._reported = False

    def emit(self, record: logging.LogRecord) -> None:
        """Keep what a record reports: a failed job, progress, or an interruption."""
        said = vars(record)
        if said.get("event") == LogEvent.PROGRESS:
            self._progress = said["done"], said["total"]
        self._interrupted |= record.getMessage().startswith(_INTERRUPTED)
        if said.get("event") == LogEvent.ERROR:
            self._signals += _SIGNAL.findall(record.getMessage())
        if said.get("event") != LogEvent.JOB_ERROR:
            return
        log, slurm = next(iter(said["log"]), ""), said.get("aux") or {}
        error, ended = _last_error(log), said["rule_msg"]
        if not error and not ended and self._signals:
            # Snakemake logs the signals in the order in which the jobs failed.
            ended = self._signals.pop(0)
        slurm_log = slurm.get("slurm_log") or ""
        if slurm.get("explained"):
            cause = f"{ended}{_progress(log)}"
        else:
            # The error in the log may be from an earlier attempt, so the message is kept.
            cause = "\n".join(filter(None, (error or _silent(log, ended, slurm_log), ended)))
        (self._silent.discard if error else self._silent.add)(said["jobid"])
        outputs = tuple(output.removesuffix(" (update)") for output in said["output"])
        before = self._found.get(said["jobid"])
        earlier = (*before.earlier, before.cause) if before else ()
        self._found[said["jobid"]] = Failure(
            said["rule_name"], outputs, log, cause, slurm_log, earlier
        )

    def failures(self) -> list[Failure]:
        """Return the jobs whose last attempt failed: they have a missing output.

        After an interruption, jobs that logged no error were ended by it, and are left out.
        """
        stopped = self._silent if self._interrupted else ()
        return [f for job, f in self._found.items() if f.output and job not in stopped]

    def report(self, arguments: Sequence[str]) -> None:
        """Print the failures, once: at the end of a run, or when it ends without its end.

        Snakemake itself ends by an exception where it cannot remove a file of a failed job.
        """
        if not self._reported:
            self._reported = True
            if self._interrupted:
                done, total = self._progress
                counted = f": {done} of {total} jobs are done" if total else ""
                print(f"\ninterrupted{counted}; the same command goes on.", file=sys.stderr)
            report_failures(self.failures(), arguments)


def report_failures(failures: Sequence[Failure], arguments: Sequence[str]) -> None:
    """Print each failed job with its cause and log, and the command that retries only those."""
    console = Console(stderr=True, highlight=False, markup=False, soft_wrap=True)
    if not failures:
        return
    console.print(f"\n{len(failures)} failed:", style="bold red")
    for failure in failures:
        console.print(f"  {failure.rule}  {failure.output}")
        console.print(indent(f"cause  {failure.cause}".replace("\n", "\n       "), 4 * " "))
        for number, cause in enumerate(failure.earlier, start=1):
            if cause != failure.cause:
                console.print(indent(f"attempt {number}  {cause}", 4 * " "))
        console.print(f"    log    {failure.log or 'none'}")
        if failure.slurm_log and failure.slurm_log != failure.log:
            console.print(f"    slurm  {failure.slurm_log}")
    console.print("retry just these, and the jobs that they need, with:")
    console.print(f"  {retry_command(failures, arguments)}")


def retry_command(failures: Iterable[Failure], arguments: Sequence[str]) -> str:
    """Return the given command with the failed outputs as its targets."""
    return shlex.join(["snakemake", *arguments, "--", *(failure.output for failure in failures)])


def repeatable(arguments: Iterable[str], targets: Collection[str]) -> list[str]:
    """Return the options of a command line, without targets and without options that force jobs."""
    kept, forced = [], False
    for word in arguments:
        if word.startswith("-"):
            # --forcerun takes every word up to the next option.
            forced = _FORCE.fullmatch(word) is not None
        if not forced and word != "--" and word not in targets:
            kept.append(word)
    return kept


def _progress(log: str) -> str:
    last = last_logged_round(log)
    return f" after {last}" if last else ""


def _silent(log: str, ended: str | None, slurm_log: str) -> str:
    """Return the cause for a job that logged no error; `ended` is the executor's message."""
    silence = f"ended without logging an error{_progress(log)}"
    folder = next(parent for parent in Path(log).absolute().parents if parent.is_dir())
    if shutil.disk_usage(folder).free < _FULL:
        return f"{silence}: the disk of {folder} is full"
    if slurm_log:
        lines = _read(Path(slurm_log)).splitlines() if Path(slurm_log).is_file() else []
        said = [line.strip() for line in lines if _SAID.search(line)]
        return f"{silence}: {said[-1] if said else 'see its Slurm log'}"
    guess = "it may have been killed by the memory limit, by the time limit, or with its node"
    return f"{silence}: {guess if ended else 'see its output above'}"


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace")


def _last_error(log: str) -> str:
    """Return the last error in a job's log; a traceback is reduced to the exception."""
    path = Path(log)
    if not log or not path.is_file():
        return ""
    text = _read(path)
    errors = [entry for entry in _STAMP.split(text) if entry.startswith("ERROR ")]
    message, *tracebacks = (errors[-1].removeprefix("ERROR ") if errors else "").split(_TRACEBACK)
    raised = re.search(r"^\S.*", tracebacks[-1], re.MULTILINE) if tracebacks else None
    return f"{message}{raised[0]}" if raised else message.strip()
