"""The verdicts on a measured number."""

from enum import StrEnum


class Verdict(StrEnum):
    """A verdict as the CSV of a table spells it. The order is that of the certificate's columns."""

    REPRODUCED = "reproduced"
    DIFFERS = "differs"
    INCONCLUSIVE = "inconclusive"
    UNINFORMATIVE = "uninformative"
    NOT_COMPARABLE = "not-comparable"
    SCALED = "scaled"
    UNPUBLISHED = "no-published-number"
    PUBLISHED_ONLY = "published-only"
    NOT_RUN = "not-run"


COMPARED = (Verdict.REPRODUCED, Verdict.DIFFERS, Verdict.INCONCLUSIVE, Verdict.UNINFORMATIVE)
"""Verdicts on numbers that were compared with a prediction interval."""
