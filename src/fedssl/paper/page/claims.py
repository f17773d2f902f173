"""Prepare the papers' claims for the page: order, counts, and links from evidence to cells."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

Record = dict[str, Any]
Parts = list[tuple[str, str]]  # (text, anchor); the anchor is empty for plain text
Places = Mapping[str, Mapping[str, str]]  # study -> name of a cell -> its anchor
# The verdicts in the order of the page: what fails first.
VERDICTS = ("fails", "undecided", "holds")
_NUMBERS = ("published_margin", "measured_margin", "low", "high")


def read_claims(rows: Iterable[Mapping[str, str]], *, places: Places) -> list[Record]:
    """Return the rows of `claims.csv`, those that fail in print first, with links to their cells.

    Margins are numbers or None. The evidence is a list of (text, anchor).
    """
    claims = [_claim(row, places.get(row["paper"], {})) for row in rows]
    return sorted(claims, key=lambda claim: VERDICTS.index(claim["published"]))


def _claim(row: Mapping[str, str], places: Mapping[str, str]) -> Record:
    return {
        **row,
        **{name: float(row[name]) if row[name] else None for name in _NUMBERS},
        "words": row["id"].replace("-", " "),
        "scaled": row["scaled"] == "True",
        "published_evidence": linked(row["published_evidence"], places),
        "measured_evidence": linked(row["measured_evidence"], places),
    }


def linked(text: str, places: Mapping[str, str]) -> Parts:
    """Return a text in parts, so that each cell that it names links to its anchor."""
    if not places:
        return [(text, "")]
    # The longest name first: the name of one cell can begin with that of another.
    names = "|".join(re.escape(name) for name in sorted(places, key=len, reverse=True))
    pieces = re.split(f"({names})", text)
    return [(piece, places.get(piece, "")) for piece in pieces if piece]


def claim_counts(claims: Sequence[Record]) -> dict[str, Record]:
    """Return the number of claims with each verdict, in print and measured.

    `compared` is the number of claims that were compared on scaled numbers, which have no verdict.
    """
    decided = Counter(c["measured"] for c in claims if not c["scaled"])
    return {
        "published": dict(Counter(claim["published"] for claim in claims)),
        "measured": {name: decided[name] for name in (*VERDICTS, "not-run") if decided[name]},
        "compared": {"scaled": sum(claim["scaled"] for claim in claims)},
    }
