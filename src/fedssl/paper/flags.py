"""Flags: signs in a score file that its number may not mean what it seems to."""

from collections.abc import Iterator, Mapping
from enum import StrEnum
from typing import Any

import pandas as pd


class Flag(StrEnum):
    """A flag as the CSV of a table spells it."""

    COLLAPSED = "collapsed"
    UNMOVED = "unmoved"
    DROPPED = "dropped-updates"
    DUPLICATES = "duplicates"
    UNSEEN = "unseen-classes"
    ABSENT = "absent-clips"


# Relative change of the weights. Smaller ones are lost in float32, except in weights that are 0.
_SMALLEST_CHANGE = 1e-6
_NOTES = {
    Flag.COLLAPSED: "Collapsed encoder, whose features vary along fewer than two directions",
    Flag.UNMOVED: "Pretraining did not change the weights of the encoder",
    Flag.DROPPED: "Updates of clients were dropped in pretraining, because they were not finite",
    Flag.DUPLICATES: "Some scored samples are also training samples",
    Flag.UNSEEN: "Some scored classes have no training sample",
    Flag.ABSENT: "Some clips of the dataset are no longer available",
}


def flags_of(score: Mapping[str, Any]) -> list[Flag]:
    """Return the flags of a score file; none for one of an earlier version."""
    raised = {
        Flag.COLLAPSED: score.get("collapsed", False),
        Flag.UNMOVED: score.get("backbone_change", 1.0) < _SMALLEST_CHANGE,
        Flag.DROPPED: score.get("dropped_updates", 0) > 0,
        Flag.DUPLICATES: score.get("duplicates", 0) > 0,
        Flag.UNSEEN: score.get("unseen_classes", 0) > 0,
        Flag.ABSENT: score.get("absent", 0) > 0,
    }
    return [flag for flag, is_raised in raised.items() if is_raised]


def flag_notes(frame: pd.DataFrame) -> Iterator[str]:
    """Yield a footnote for each flag of a table, with the numbers that have it."""
    raised = frame["flags"].fillna("").astype(str).str.split()
    for flag, note in _NOTES.items():
        having = frame[[flag in flags for flags in raised]]
        if len(having):
            rows = having.groupby("row", sort=False)["column"]
            numbers = (f"{row} ({', '.join(part)})" for row, part in rows)
            yield f"{note}: {'; '.join(numbers)}."
