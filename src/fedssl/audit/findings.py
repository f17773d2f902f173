"""What an audit can find, and how bad it is."""

from dataclasses import dataclass
from enum import StrEnum


class Verdict(StrEnum):
    """What an audit says of a job, best first."""

    SOUND = "sound"
    CHANGED_CODE = "changed code"
    CHANGED_DATA = "changed data"
    INCOMPLETE = "incomplete"
    TAMPERED = "tampered"

    @property
    def rank(self) -> int:
        """The verdict's place: the higher, the worse."""
        return list(Verdict).index(self)


@dataclass(frozen=True)
class Finding:
    """One thing that is not as it was recorded: the file, and what is the matter with it."""

    verdict: Verdict
    file: str
    what: str


@dataclass(frozen=True)
class Note:
    """Something a reader should know that changes no verdict."""

    file: str
    what: str


def worst(verdicts: list[Verdict]) -> Verdict:
    """Return the worst of some verdicts; sound if there are none."""
    return max(verdicts, key=_rank, default=Verdict.SOUND)


def _rank(verdict: Verdict) -> int:
    return verdict.rank
