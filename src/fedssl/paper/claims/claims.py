"""Test the papers' claims on the published numbers and on the measured ones."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from fedssl.errors import UserError
from fedssl.files import atomic_write
from fedssl.paper.claims import measured
from fedssl.paper.claims.cells import PaperCells, measured_cells
from fedssl.paper.claims.entries import read_entries
from fedssl.paper.claims.predicates import Numbers, evaluate
from fedssl.paper.published import heading, read_published
from fedssl.paper.verdicts.contrast import Key
from fedssl.paper.verdicts.hypotheses import cells_of, hypothesis_of

_COPIED = ("id", "paper", "section", "quote", "reading")
_PUBLISHED = ("published", "published_margin", "published_evidence")
COLUMNS = (*_COPIED, *_PUBLISHED, *measured.COLUMNS)
_POINTS = ("published_margin", "measured_margin", "low", "high")
_PROBABILITIES = ("p_holds", "p_fails", "level")
_DTYPES = {
    **dict.fromkeys((*_POINTS, *_PROBABILITIES), "float64"),
    "seeds_needed": "Int64",
    "scaled": "boolean",
}
_DECIMALS = {**dict.fromkeys(_POINTS, 4), **dict.fromkeys(_PROBABILITIES, 6)}
# The tolerance of `=`, in points: published numbers are rounded to two decimals.
_PRECISION = 0.01
Claim = Mapping[str, Any]


def write_claims(
    claims: str | Path,
    published: Iterable[str | Path],
    *,
    tables: Iterable[str | Path],
    path: str | Path,
) -> None:
    """Write all claims with their verdicts as CSV: margins with 4 decimals, p values with 6.

    Args:
        claims: YAML file of the claims.
        published: Files of published numbers.
        tables: CSVs of tables, each next to its seeds file. The cells of a table that does not
            exist count as not run.
        path: Path of the CSV.
    """
    existing = [table for table in map(Path, tables) if table.is_file()]
    frame = check_claims(
        read_claims(claims), read_published(published), tables=measured_cells(existing)
    )
    with atomic_write(path) as temporary:
        frame.round(_DECIMALS).to_csv(temporary, index=False, lineterminator="\n")


def read_claims(path: str | Path) -> list[dict[str, Any]]:
    """Return the claims of a YAML file.

    Raises:
        UserError: A claim differs from its declaration `settings.Claim`, has the id of another, or
            has a predicate without a test. The message names file and claim.
    """
    claims = read_entries(path)
    for claim in claims:
        for name in {"predicate", "measured"} & set(claim):
            try:
                hypothesis_of(claim[name])
            except ValueError as mistake:
                raise UserError(f"{path}: claim {claim['id']}: {mistake}.") from mistake
    return claims


def check_claims(
    claims: Sequence[Claim], published: pd.DataFrame, *, tables: Mapping[str, PaperCells]
) -> pd.DataFrame:
    """Return one row per claim with the columns `COLUMNS`.

    `published` is holds, fails or, if the paper does not print a number of the claim, undecided.
    `measured` is holds, fails, undecided or, if a cell of the claim has no number, not-run. The
    claims of a paper are one family of tests. `scaled` is true if a number of a scaled run was
    used.

    Raises:
        UserError: A claim names a published number that does not exist and is not marked as
            untabulated, or is marked but all its numbers exist.
    """
    printed = _printed_numbers(published)
    records = [_published(claim, printed.get(claim["paper"], {})) for claim in claims]
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for paper in dict.fromkeys(claim["paper"] for claim in claims):
        own = [claim for claim in claims if claim["paper"] == paper]
        judged = measured.judge_measured(own, tables.get(paper, PaperCells()))
        found |= {(paper, name): record for name, record in judged.items()}
    rows = [record | found[record["paper"], record["id"]] for record in records]
    return pd.DataFrame.from_records(rows, columns=list(COLUMNS)).astype(_DTYPES)


def _printed_numbers(published: pd.DataFrame) -> dict[str, dict[Key, float]]:
    papers: dict[str, dict[Key, float]] = {}
    for record in published.to_dict("records"):
        key = (record["table"], record["row"], heading(record["column"], record["protocol"]))
        papers.setdefault(record["study"], {})[key] = record["value"]
    return papers


def _published(claim: Claim, numbers: Numbers) -> dict[str, Any]:
    _check_tabulated(claim, numbers)
    known = evaluate(claim["predicate"], numbers, precision=_PRECISION)
    values = known.verdict, known.margin, known.evidence
    return {name: claim.get(name, "") for name in _COPIED} | dict(
        zip(_PUBLISHED, values, strict=True)
    )


def _check_tabulated(claim: Claim, numbers: Numbers) -> None:
    # Without this check a mistyped name would silently leave the claim undecided.
    used = cells_of(hypothesis_of(claim["predicate"]))
    unknown = [key for key in used if key not in numbers]
    if unknown and not claim.get("untabulated", False):
        names = "; ".join(" / ".join(key) for key in unknown)
        raise UserError(
            f"Claim {claim['id']} names {names}, which the published numbers of {claim['paper']} "
            "lack; correct the name, or mark the claim with `untabulated: true`."
        )
    if not unknown and claim.get("untabulated", False):
        raise UserError(f"Claim {claim['id']} is marked untabulated, but all its numbers exist.")
