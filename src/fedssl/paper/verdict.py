"""What can be said of a measured number next to a published one."""

from enum import StrEnum


class Verdict(StrEnum):
    """A verdict, as it stands in a table's CSV; listed in the order in which they are counted."""

    REPRODUCED = "reproduced"
    DIFFERS = "differs"
    SCALED = "scaled"
    UNPUBLISHED = "no-published-number"
    PUBLISHED_ONLY = "published-only"
    NOT_RUN = "not-run"
