"""Notices that jobs have ended, or that they can never start."""

from collections import Counter
from collections.abc import Callable, Sequence

from fedssl.slurm.queue import ENDED, GONE, Queue, QueuedJob, SlurmError, accounted, answer
from fedssl.slurm.refusals import held, never_starts

_POLLS = 3  # before an absence, or a reason, is believed


class Watch:
    """The jobs of a run, as Slurm sees them from one poll to the next."""

    def __init__(self, queue: Queue, warn: Callable[[str], None]) -> None:
        """Start without having seen anything; what a user should know goes to `warn`."""
        self._queue = queue
        self._warn = warn
        self._seen: Counter[tuple[str, str]] = Counter()

    def ended(self, numbers: Sequence[str], *, none_may_start: bool) -> dict[str, str]:
        """Return the state of each job that has ended, or the reason why it can never start.

        A job of which Slurm says nothing now has not ended. If `none_may_start`, jobs that wait are
        taken out of the queue, and are cancelled in the next answer.
        """
        found: dict[str, str] = {}
        try:
            queue = self._queue.jobs()
            found |= {n: queue[n].state for n in numbers if n in queue and queue[n].ended}
            waiting = {n: queue[n] for n in numbers if n in queue and queue[n].waits}
            found |= {n: job.reason for n, job in waiting.items() if self._stuck(n, job)}
            if waiting and none_may_start:
                answer(["scancel", "--state=PENDING", *waiting])
            if missing := [n for n in numbers if n not in queue]:
                known = accounted(missing)
                found |= {n: state for n in missing if (state := self._gone(n, known.get(n)))}
        except SlurmError as error:
            self._warn(f"Slurm does not answer, so it is asked again later: {error}")
        return found

    def _gone(self, number: str, state: str | None) -> str | None:
        """Return how a job that is not in the queue has ended, from its state in the accounts."""
        self._seen[number, GONE] += 1
        if state in ENDED:
            return state
        return GONE if self._seen[number, GONE] >= _POLLS else None

    def _stuck(self, number: str, job: QueuedJob) -> bool:
        """Return whether a waiting job can never start; it is taken out of the queue then."""
        self._seen[number, job.reason] += 1
        if held(job.reason) and self._seen[number, job.reason] == 1:
            self._warn(f"Slurm job {number} is on hold until `scontrol release {number}`.")
        if not never_starts(job.reason) or self._seen[number, job.reason] < _POLLS:
            return False
        answer(["scancel", "--state=PENDING", number])
        return True
