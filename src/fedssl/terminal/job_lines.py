"""One line per finished job, in place of the ten that Snakemake prints about each."""

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from snakemake_interface_logger_plugins.common import LogEvent

from fedssl.grid.snakemake_api import NOTHING_TO_DO, RunJob, logger
from fedssl.terminal.description import describe, duration, find, recorded_seconds
from fedssl.terminal.time_left import TimeLeft
from fedssl.terminal.verdicts import page_of

_HIDDEN = (
    *(LogEvent.JOB_STARTED, LogEvent.GROUP_INFO, LogEvent.PROGRESS, LogEvent.RESOURCES_INFO),
    LogEvent.WORKFLOW_STARTED,
)
# The only line of each job that Snakemake logs without an event.
_SELECTING = "Select jobs to execute..."
# A job may draw a bar in the last line of the terminal, and will draw it again below.
_ERASE = "\r\x1b[2K"
_LONG_S = 60.0  # a job that is expected to take longer is announced when it starts
_COUNT_EVERY_S = 3.0  # on a cluster, counting the jobs that run looks at the log of each


class JobLines(logging.Formatter):
    """Formats the log events of a run: use it as the formatter and as a filter of a handler.

    Errors, warnings, and all that is not about the progress of jobs, are formatted as before.
    Snakemake's own log file has everything.
    """

    def __init__(
        self,
        plain: logging.Formatter,
        *,
        terminal: bool,
        jobs: Callable[[], Sequence[RunJob]],
        expected: Callable[[Sequence[RunJob]], Mapping[str, float]],
        here: bool,
        targets: Callable[[], Sequence[RunJob]],
    ) -> None:
        """Store how all other records are formatted, and functions that are called later.

        Args:
            plain: formats all other records.
            terminal: whether the lines go to a terminal.
            jobs: returns all jobs of the run. It is called when the first job starts.
            expected: returns the expected duration in seconds of jobs, by the name of the job. It
                is called in a thread of its own, because it may read thousands of records.
            here: whether jobs run on this machine, as soon as they are started.
            targets: returns all jobs behind the targets, also those that are up to date. It is
                called if none of them has to run.
        """
        super().__init__()
        self._plain, self._erase = plain, _ERASE if terminal else ""
        self._find_jobs, self._expect, self._here = jobs, expected, here
        self._find_targets = targets
        self._waiting: dict[int, RunJob] = {}
        self._started: dict[int, float] = {}
        self._total = 0
        self._time_left = TimeLeft({})
        self._estimated = self._broken = False
        self._start = self._last = time.time()

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether a record is printed, perhaps in other words."""
        if not self._broken:
            try:
                return self._is_printed(record)
            # Snakemake would end the run for any fault here, and no line is worth that.
            except Exception as error:
                self._give_up(error)
        return True

    def format(self, record: logging.LogRecord) -> str:
        """Return the text of a record; "" if nothing is printed about it."""
        if not self._broken:
            try:
                text = self._text(record)
                return f"{self._erase}{text}" if text else ""
            except Exception as error:
                self._give_up(error)
        return self._plain.format(record)

    def _give_up(self, error: Exception) -> None:
        self._broken = True
        logger.warning("Snakemake's own lines follow, because ours failed with %r.", error)

    def _is_printed(self, record: logging.LogRecord) -> bool:
        said = vars(record)
        event = said.get("event")
        if event == LogEvent.JOB_STARTED and not self._total:
            self._begin()
        if event == LogEvent.JOB_INFO:
            self._started[said["jobid"]] = time.time()
            return self._here and self._seconds(said["jobid"]) > _LONG_S
        return event not in _HIDDEN and record.msg != _SELECTING

    def _text(self, record: logging.LogRecord) -> str:
        said = vars(record)
        event = said.get("event")
        if event == LogEvent.JOB_FINISHED:
            return self._finished(said["job_id"])
        if event == LogEvent.JOB_INFO:
            job, seconds = self._waiting[said["jobid"]], self._seconds(said["jobid"])
            return f"{describe(job.rule, job.wildcards)} starts, about {duration(seconds)}"
        if "slurm_job" in said:
            return self._submitted(said["slurm_job"], said["jobs"])
        if record.msg == NOTHING_TO_DO and (page := page_of(self._find_targets())):
            return f"{self._plain.format(record)}\nreport: {page}"
        return self._plain.format(record)

    def _begin(self) -> None:
        jobs = [job for job in self._find_jobs() if job.outputs]  # a named target has none
        self._waiting = {job.number: job for job in jobs}
        self._total = len(jobs)
        self._start = self._last = time.time()
        threading.Thread(target=self._read_expected, args=(jobs,), daemon=True).start()

    def _read_expected(self, jobs: Sequence[RunJob]) -> None:
        try:
            self._time_left.expected = self._expect(jobs)
        except OSError as error:
            # Such as a record that a job replaces at this moment. The lines say no time then.
            logger.debug("the durations of the jobs are not known: %s", error)
        # In a thread, Python would only print a traceback in the midst of the lines.
        except Exception as error:
            logger.warning("No line says how much time is left, because of %r.", error)
        else:
            self._estimated = True

    def _seconds(self, number: int) -> float:
        job = self._waiting.get(number)
        return self._time_left.seconds(job.rule, job.name) if job else 0.0

    def _finished(self, number: int) -> str:
        job = self._waiting.pop(number, None)
        if job is None:
            return ""
        now = time.time()
        if now - self._last > _COUNT_EVERY_S:
            self._time_left.run_at_once(1 + self._running(), seconds=now - self._last)
            self._last = now
        own = self._spent(number, now) if self._here else recorded_seconds(job.outputs)
        if own is not None:
            self._time_left.finish(job.rule, job.name, own)
        facts = [find(job.outputs), "" if own is None else duration(own)]
        line = f"[{self._total - len(self._waiting)}/{self._total}] "
        what = [describe(job.rule, job.wildcards), ", ".join(filter(None, facts))]
        line += ": ".join(filter(None, what))
        if not (self._waiting and self._estimated):
            return line
        others = self._waiting.items()
        left = self._time_left.left((o.rule, o.name, self._spent(n, now)) for n, o in others)
        return f"{line}; about {duration(left)} left"

    def _spent(self, number: int, now: float) -> float:
        # On a cluster, a job that was started may wait in the queue.
        return now - self._started.get(number, now) if self._here else 0.0

    def _running(self) -> int:
        """Return how many jobs run now: on a cluster, those that have begun their log."""
        started = [self._waiting[number] for number in self._started if number in self._waiting]
        return len(started) if self._here else sum(map(self._has_begun, started))

    def _has_begun(self, job: RunJob) -> bool:
        try:
            return bool(job.log) and Path(job.log).stat().st_mtime >= self._start
        except OSError:  # not yet written, or removed for another attempt
            return False

    def _submitted(self, slurm_job: str, numbers: Sequence[int]) -> str:
        jobs = [self._waiting[number] for number in numbers if number in self._waiting]
        names = [describe(job.rule, job.wildcards) for job in jobs]
        more = f" and {len(names) - 1} more" if len(names) > 1 else ""
        return f"submitted as Slurm job {slurm_job}: {names[0] if names else 'a job'}{more}"
