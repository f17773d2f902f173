"""Progress of a job: a bar on a terminal, plain lines in the log."""

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
from typing import Any, Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar

_log = logging.getLogger(__name__)

_LOG_EVERY_S = 10.0
_ROUND = re.compile(r" INFO round (\d+) of (\d+)  loss \S+  (\S+) s a round")


@dataclass(frozen=True)
class LoggedRound:
    """A round that a job has finished; `seconds_per_round` is the seconds a round takes.

    `since` is how many seconds ago the job wrote to its log.
    """

    done: int
    total: int
    seconds_per_round: float
    since: float

    def __str__(self) -> str:
        """Say which round it is."""
        return f"round {self.done} of {self.total}"


class RoundProgress:
    """Counts rounds; the first job on a terminal draws the bar, all jobs write their log."""

    def __init__(self, total: int, *, done: int) -> None:
        """Count from `done` to `total` rounds."""
        self._total = total
        self._started_at = done
        self._started = time.monotonic()
        self._terminal = _own_terminal()
        self._bar = Bar(
            TextColumn("round"),
            MofNCompleteColumn(),
            BarColumn(),
            TextColumn("loss {task.fields[loss]:.4f}"),
            TimeRemainingColumn(),
            console=Console(stderr=True),
            disable=self._terminal is None,
            transient=True,
        )
        self._task = self._bar.add_task("", total=total, completed=done, loss=float("nan"))

    def __enter__(self) -> Self:
        """Show the bar where this job owns the terminal."""
        self._bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Take the bar away and give the terminal to the next job."""
        self._bar.stop()
        if self._terminal is not None:
            os.close(self._terminal)

    def advance(self, round_number: int, loss: float) -> None:
        """Report a finished round and its mean loss."""
        self._bar.update(self._task, completed=round_number, loss=loss)
        pace = (time.monotonic() - self._started) / (round_number - self._started_at)
        left = format_duration(pace * (self._total - round_number))
        _log.info(
            "round %d of %d  loss %.4f  %.1f s a round  %s left",
            *(round_number, self._total, loss, pace, left),
        )


class MemberProgress:
    """Counts the members that a bank is made of, and how fast they come."""

    def __init__(self, counts: Mapping[str, int | None] | None = None) -> None:
        """Count to the sum of `counts`, members per split, or without an end if one is unknown."""
        known = [count for count in (counts or {}).values() if count]
        self._total = sum(known) if counts and len(known) == len(counts) else None
        self.start(0)

    def start(self, done: int) -> None:
        """Begin to measure, with `done` members from an earlier run."""
        self._resumed = self._done = done
        self._bytes = 0
        self._started = self._logged = time.monotonic()
        self._stopped = 0.0
        if done:
            _log.info("going on after the %d members that an earlier run read", done)

    def advance(self, size: int) -> None:
        """Count a member that takes `size` bytes in the bank, and log now and then."""
        self._done += 1
        self._bytes += size
        if time.monotonic() - self._logged > _LOG_EVERY_S:
            self._logged = time.monotonic()
            self._log()

    def finish(self) -> None:
        """Log the last count; what `facts` says stays as it is."""
        self._total, self._stopped = self._done, time.monotonic()
        self._log()

    def facts(self) -> dict[str, Any]:
        """Return members read, those of an earlier run apart, seconds, and rates."""
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
    """Return a duration as h:mm:ss, hours beyond a day included."""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02d}:{rest:02d}"


def last_logged_round(log: str | Path) -> LoggedRound | None:
    """Return the last round that a job's log reports; None where there is no log or round."""
    path = Path(log)
    text = path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""
    if not (found := _ROUND.findall(text)):
        return None
    done, total, pace = found[-1]
    return LoggedRound(int(done), int(total), float(pace), since=time.time() - path.stat().st_mtime)


def _own_terminal() -> int | None:
    """Return the locked descriptor of this terminal, or None: no terminal, or another job's."""
    if not sys.stderr.isatty():
        return None
    lock = os.open(os.ttyname(sys.stderr.fileno()), os.O_RDONLY)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        return None
    return lock
