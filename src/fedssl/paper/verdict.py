"""The verdicts on a measured number."""

from enum import StrEnum


class Verdict(StrEnum):
    """A verdict as the CSV of a table spells it. The order is that of the certificate's columns."""

    REPRODUCED = "reproduced"
    DIFFERS = "differs"
    SCALED = "scaled"
    UNPUBLISHED = "no-published-number"
    PUBLISHED_ONLY = "published-only"
    NOT_RUN = "not-run"
