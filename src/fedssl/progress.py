"""Show the progress of a job: a bar on a terminal, and lines in the log."""

import fcntl
import logging
import os
import re
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from rich.progress import Progress as Bar

_log = logging.getLogger(__name__)

_LOG_EVERY_S = 10.0
FINAL = "another attempt would end the same way"
"""The last line that a job logs after an error which does not pass by itself."""
# Must match the line that `RoundProgress.advance` logs. Keep the format of that line: the status
# command also reads logs that earlier versions wrote.
_ROUND = re.compile(r" INFO round (\d+) of (\d+)  loss \S+  (\S+) s a round")


@dataclass(frozen=True)
class LoggedRound:
    """The latest round in a job's log.

    Attributes:
        done: number of the round.
        total: number of rounds of the job.
        seconds_per_round: mean duration of a round.
        since: seconds since the job last wrote to its log.
    """

    done: int
    total: int
    seconds_per_round: float
    since: float

    def __str__(self) -> str:
        """Return the round as text, such as "round 3 of 100"."""
        return f"round {self.done} of {self.total}"


class RoundProgress:
    """Report finished rounds: every job logs them, and one job per terminal draws a bar."""

    def __init__(self, total: int, *, done: int) -> None:
        """Start counting at `done` of `total` rounds."""
        self._total = total
        self._started_at = done
        self._started = time.monotonic()
        self._terminal = _own_terminal()
        self._bar = None if self._terminal is None else _bar(total, done=done)

    def __enter__(self) -> Self:
        """Show the bar if this job owns the terminal."""
        if self._bar is not None:
            self._bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Remove the bar and release the terminal for another job."""
        if self._bar is not None:
            self._bar.stop()
        if self._terminal is not None:
            os.close(self._terminal)

    def advance(self, round_number: int, loss: float) -> None:
        """Report a finished round and its mean loss."""
        if self._bar is not None:
            self._bar.update(self._bar.task_ids[0], completed=round_number, loss=loss)
        # Rounds of an earlier run are not counted: their duration is unknown here.
        pace = (time.monotonic() - self._started) / (round_number - self._started_at)
        left = format_duration(pace * (self._total - round_number))
        _log.info(
            "round %d of %d  loss %.4f  %.1f s a round  %s left",
            *(round_number, self._total, loss, pace, left),
        )


class MemberProgress:
    """Report how many members of a bank (or clips of a download) are done, and how fast."""

    def __init__(self, counts: Mapping[str, int | None] | None = None) -> None:
        """Count up to the sum of `counts`, the members per split.

        The total is unknown if `counts` is missing or a split's count is None.
        """
        known = [count for count in (counts or {}).values() if count]
        self._total = sum(known) if counts and len(known) == len(counts) else None
        self.start(0)

    def start(self, done: int) -> None:
        """Start measuring; an earlier run already read `done` members."""
        self._resumed = self._done = done
        self._bytes = 0
        self._started = self._logged = time.monotonic()
        self._stopped = 0.0
        if done:
            _log.info("resuming after %d members that an earlier run read", done)

    def advance(self, size: int) -> None:
        """Count a member that takes `size` bytes in the bank; log at most every 10 seconds."""
        self._done += 1
        self._bytes += size
        if time.monotonic() - self._logged > _LOG_EVERY_S:
            self._logged = time.monotonic()
            self._log()

    def finish(self) -> None:
        """Stop measuring and log the final count."""
        self._total, self._stopped = self._done, time.monotonic()
        self._log()

    def facts(self) -> dict[str, Any]:
        """Return the members read by this run and by an earlier one, and the rates per second."""
        # A tiny bank can finish within one tick of the clock: avoid a division by zero.
        seconds = max((self._stopped or time.monotonic()) - self._started, 1e-9)
        read = self._done - self._resumed
        return {
            "members_read": read,
            "members_resumed": self._resumed,
            "members_per_second": round(read / seconds, 1),
            "bank_mb_per_second": round(self._bytes / seconds / 1e6, 2),
        }

    def _log(self) -> None:
        facts = self.facts()
        rate = facts["members_per_second"]
        left = format_duration((self._total - self._done) / rate) if self._total and rate else "? h"
        _log.info(
            "member %d of %s  %.1f members/s  %.1f MB/s  %s left",
            *(self._done, self._total or "?", rate, facts["bank_mb_per_second"], left),
        )


def format_duration(seconds: float) -> str:
    """Return a duration as h:mm:ss; the hours can exceed 24."""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02d}:{rest:02d}"


def last_logged_round(log: str | Path) -> LoggedRound | None:
    """Return the latest round in a job's log, or None if there is no log or no round in it."""
    path = Path(log)
    text = path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""
    if not (found := _ROUND.findall(text)):
        return None
    done, total, pace = found[-1]
    return LoggedRound(int(done), int(total), float(pace), since=time.time() - path.stat().st_mtime)


def is_final(log: str | Path) -> bool:
    """Return whether a job's log ends with an error that another attempt would meet as well."""
    path = Path(log)
    text = path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""
    return text.rstrip().endswith(FINAL)


def _bar(total: int, *, done: int) -> "Bar":
    # Imported here because it takes a fifth of a second: planning imports this module, and most
    # jobs have no terminal.
    from rich import progress
    from rich.console import Console

    bar = progress.Progress(
        progress.TextColumn("round"),
        progress.MofNCompleteColumn(),
        progress.BarColumn(),
        progress.TextColumn("loss {task.fields[loss]:.4f}"),
        progress.TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
    )
    bar.add_task("", total=total, completed=done, loss=float("nan"))
    return bar


def _own_terminal() -> int | None:
    """Return the locked descriptor of the terminal.

    None means that there is no terminal or that another job holds it.
    """
    if not sys.stderr.isatty():
        return None
    # Snakemake runs jobs in parallel on one terminal, where several bars would overwrite each
    # other. A lock on the terminal device lets exactly one job draw, and ends with the process.
    lock = os.open(os.ttyname(sys.stderr.fileno()), os.O_RDONLY)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        return None
    return lock
