"""The failed jobs of a run: why each failed, and the command that retries just those."""

import logging
import re
import shlex
import shutil
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from textwrap import indent

from rich.console import Console
from snakemake_interface_logger_plugins.common import LogEvent

from fedssl.progress import last_logged_round

_FORCE = re.compile(r"-[fF]|-R.*|--force|--forceall|--forcerun(=.*)?")
_STAMP = re.compile(r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} (?=[A-Z]+ )", re.MULTILINE)
_SIGNAL = re.compile(r"died with <Signals\.\w+: \d+>")
_FULL = 2**20  # bytes; a disk with less room is why jobs fail
_TRACEBACK = "Traceback (most recent call last):\n"


@dataclass(frozen=True)
class Failure:
    """One failed job: its rule, outputs, log file and cause."""

    rule: str
    outputs: tuple[str, ...]
    log: str
    cause: str

    @property
    def output(self) -> str:
        """The first output that is missing, which makes it run again; empty where none is.

        Not simply the first: Snakemake puts back the archive that a failed job was to update.
        """
        return next((output for output in self.outputs if not Path(output).exists()), "")


class FailureCollector(logging.Handler):
    """Listens to Snakemake and keeps the last failure of each job."""

    def __init__(self) -> None:
        """Start with no failure."""
        super().__init__(logging.ERROR)
        self._found: dict[int, Failure] = {}
        self._signals: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep the record if it tells of a failed job."""
        said = vars(record)
        if said.get("event") == LogEvent.ERROR:
            self._signals += _SIGNAL.findall(record.getMessage())
        if said.get("event") != LogEvent.JOB_ERROR:
            return
        log = next(iter(said["log"]), "")
        error, ended = _last_error(log), said["rule_msg"]
        if not error and not ended and self._signals:
            ended = self._signals.pop(0)  # of the job itself, because jobs fail in this order
        # What the job said may be of an earlier attempt; an executor adds how this one ended.
        cause = "\n".join(filter(None, (error or _silent(log, ended), ended)))
        outputs = tuple(output.removesuffix(" (update)") for output in said["output"])
        self._found[said["jobid"]] = Failure(said["rule_name"], outputs, log, cause)

    def failures(self) -> list[Failure]:
        """Return the jobs whose last attempt failed: those with a missing output."""
        return [failure for failure in self._found.values() if failure.output]


def report_failures(failures: Sequence[Failure], arguments: Sequence[str]) -> None:
    """Print each failed job with cause and log, and the command that retries just those."""
    console = Console(stderr=True, highlight=False, markup=False, soft_wrap=True)
    if not failures:
        return
    console.print(f"\n{len(failures)} failed:", style="bold red")
    for failure in failures:
        console.print(f"  {failure.rule}  {failure.output}")
        console.print(indent(f"cause  {failure.cause}".replace("\n", "\n       "), 4 * " "))
        console.print(f"    log    {failure.log or 'none'}")
    console.print("retry just these, and what they need, with:")
    console.print(f"  {retry_command(failures, arguments)}")


def retry_command(failures: Iterable[Failure], arguments: Sequence[str]) -> str:
    """Return the command that was given, without its targets, for the failed outputs only."""
    return shlex.join(["snakemake", *arguments, "--", *(failure.output for failure in failures)])


def repeatable(arguments: Iterable[str], targets: Collection[str]) -> list[str]:
    """Return a command line's options: no targets, and none that runs again what has succeeded."""
    kept, forced = [], False
    for word in arguments:
        if word.startswith("-"):
            # --forcerun takes every word up to the next option.
            forced = _FORCE.fullmatch(word) is not None
        if not forced and word != "--" and word not in targets:
            kept.append(word)
    return kept


def _silent(log: str, ended: str | None) -> str:
    """Return what can be said of a job that logged no error; `ended` is how, if that is known."""
    last = last_logged_round(log)
    silence = f"ended without an error of its own{f' after {last}' if last else ''}"
    folder = next(parent for parent in Path(log).absolute().parents if parent.is_dir())
    if shutil.disk_usage(folder).free < _FULL:
        return f"{silence}: the disk of {folder} is full"
    guess = "killed, by the memory limit, the time limit or with its node?"
    return f"{silence}: {guess if ended else 'what it printed stands above'}"


def _last_error(log: str) -> str:
    """Return the last error that a job wrote to its log; of a traceback only what was raised."""
    path = Path(log)
    if not log or not path.is_file():
        return ""
    text = path.read_text(encoding="utf-8", errors="replace")
    errors = [entry for entry in _STAMP.split(text) if entry.startswith("ERROR ")]
    message, *tracebacks = (errors[-1].removeprefix("ERROR ") if errors else "").split(_TRACEBACK)
    raised = re.search(r"^\S.*", tracebacks[-1], re.MULTILINE) if tracebacks else None
    return f"{message}{raised[0]}" if raised else message.strip()
