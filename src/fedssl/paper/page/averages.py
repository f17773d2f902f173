"""The papers' averages that are wrong; their other contradictions are written by hand."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from fedssl.paper.published import PROTOCOL_LABELS, printed_averages, read_published


def wrong_averages(published: Iterable[str | Path]) -> list[dict[str, Any]]:
    """Return the papers' averages that their own cells do not give."""
    wrong = printed_averages(read_published(published))
    return [
        {str(key): value for key, value in record.items()}
        | {"column": f"{record['column']} {PROTOCOL_LABELS[record['protocol']]}"}
        for record in wrong.to_dict("records")
    ]
