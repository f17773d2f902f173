"""How long a run will still take: from expected durations, and from the jobs that have ended."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

_LONGEST_START_S = 10.0  # of Python and its imports; if all jobs are long, none tells


@dataclass
class _Finished:
    """The finished jobs of one rule; `expected` sums the durations of those that have one."""

    jobs: int = 0
    seconds: float = 0.0
    with_expected: int = 0
    expected: float = 0.0


@dataclass
class TimeLeft:
    """Estimates how long the unfinished jobs of a run will take.

    Attributes:
        expected: name of a job -> its duration in seconds, as far as one is known beforehand.
    """

    expected: Mapping[str, float]
    _finished: dict[str, _Finished] = field(default_factory=dict)
    _shortest: float = float("inf")
    _at_once: float = 0.0
    _measured: float = 0.0

    def finish(self, rule: str, name: str, seconds: float) -> None:
        """Count a finished job and its duration."""
        done = self._finished.setdefault(rule, _Finished())
        done.jobs += 1
        done.seconds += seconds
        if (expected := self.expected.get(name)) is not None:
            done.with_expected += 1
            done.expected += expected
        self._shortest = min(self._shortest, seconds)

    def run_at_once(self, jobs: int, *, seconds: float) -> None:
        """Count that some jobs have run at once for some seconds."""
        self._at_once += jobs * seconds
        self._measured += seconds

    def seconds(self, rule: str, name: str) -> float:
        """Return the expected duration of a job."""
        # The shortest job stands for what every job takes to start, which no expectation includes.
        start = min(self._shortest, _LONGEST_START_S) if self._finished else 0.0
        expected, done = self.expected.get(name), self._finished.get(rule)
        if done is None:
            return start + (expected or 0.0)
        mean = done.seconds / done.jobs
        if expected is None or not done.expected:
            return mean
        return start + (mean - start) * expected * done.with_expected / done.expected

    def left(self, jobs: Iterable[tuple[str, str, float]]) -> float:
        """Return the seconds until some unfinished jobs have ended.

        A job is its rule, its name and the seconds for which it has run.
        """
        each = [max(self.seconds(rule, name) - spent, 0.0) for rule, name, spent in jobs]
        at_once = self._at_once / self._measured if self._measured else 1.0
        return max(sum(each) / max(at_once, 1.0), max(each, default=0.0))
