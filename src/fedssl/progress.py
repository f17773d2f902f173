"""Progress of a pretraining job: a bar on a terminal, plain lines in the log."""

import fcntl
import logging
import os
import sys
import time
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar

_log = logging.getLogger(__name__)


class Progress:
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
        left = pace * (self._total - round_number)
        _log.info(
            "round %d of %d  loss %.4f  %.1f s a round  %.0f s left",
            *(round_number, self._total, loss, pace, left),
        )


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
