"""The findings of an audit and their verdicts."""

from dataclasses import dataclass
from enum import StrEnum


class Verdict(StrEnum):
    """The verdict on a job or unit, best first."""

    SOUND = "sound"
    CHANGED_CODE = "changed code"
    CHANGED_DATA = "changed data"
    INCOMPLETE = "incomplete"
    TAMPERED = "tampered"


@dataclass(frozen=True)
class Finding:
    """A difference from the records: the file, and a sentence that starts with the file."""

    verdict: Verdict
    file: str
    what: str


@dataclass(frozen=True)
class Note:
    """A remark that changes no verdict."""

    file: str
    what: str


def worst(verdicts: list[Verdict]) -> Verdict:
    """Return the worst verdict; sound for an empty list."""
    return max(verdicts, key=list(Verdict).index, default=Verdict.SOUND)
