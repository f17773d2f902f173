"""Test the papers' claims on the published numbers and on the measured ones."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from fedssl.errors import UserError
from fedssl.files import atomic_write
from fedssl.paper.claims.entries import read_entries
from fedssl.paper.claims.gaps import Key, Number
from fedssl.paper.claims.predicates import Outcome, cells, evaluate
from fedssl.paper.published import heading, read_published
from fedssl.paper.seeds import Seeds, read_seeds
from fedssl.paper.tables import COLUMNS as TABLE_COLUMNS
from fedssl.paper.verdict import Verdict

_COPIED = ("id", "paper", "section", "quote", "reading")
COLUMNS = (
    *(*_COPIED, "published", "published_margin", "published_evidence"),
    *("measured", "measured_margin", "low", "high", "scaled", "measured_evidence"),
)
NOT_RUN = "not-run"
_DTYPES = {
    **dict.fromkeys(("published_margin", "measured_margin", "low", "high"), "float64"),
    "scaled": "boolean",
}
# The tolerance of `=`, in points. Published numbers are rounded to two decimals. Measured numbers
# have the tolerance of a table's verdict.
_PRINTED, _MEASURED = 0.01, 1.0
Claim = Mapping[str, Any]
Studies = Mapping[str, Mapping[Key, Number]]  # paper -> its numbers


def write_claims(
    claims: str | Path,
    published: Iterable[str | Path],
    *,
    tables: Iterable[str | Path],
    path: str | Path,
) -> None:
    """Write all claims with their verdicts as CSV (numbers rounded to four decimals).

    Args:
        claims: YAML file of the claims.
        published: Files of published numbers.
        tables: CSVs of tables, each next to its seeds file. The cells of a table that does not
            exist count as not run.
        path: Path of the CSV.
    """
    existing = [table for table in map(Path, tables) if table.is_file()]
    frame = check_claims(
        read_claims(claims), read_published(published), tables=measured_numbers(existing)
    )
    with atomic_write(path) as temporary:
        frame.round(4).to_csv(temporary, index=False, lineterminator="\n")


def read_claims(path: str | Path) -> list[dict[str, Any]]:
    """Return the claims of a YAML file.

    Raises:
        UserError: A claim differs from its declaration `settings.Claim`, compares sides of
            different lengths, or has the id of another. The message names file and claim.
    """
    claims = read_entries(path)
    for claim in claims:
        try:
            # The declaration cannot check that both sides of an `each` have the same length.
            for name in {"predicate", "measured"} & set(claim):
                cells(claim[name])
        except ValueError as mismatch:
            raise UserError(f"{path}: claim {claim['id']}: {mismatch}.") from mismatch
    return claims


def measured_numbers(tables: Iterable[str | Path]) -> dict[str, dict[Key, Number]]:
    """Return study -> cell -> measured number, with the values of its seeds, from table CSVs.

    A row that is only quoted (verdict published-only) counts with its published number.

    Raises:
        UserError: A CSV lacks a column of a table, or a number lacks its seeds.
    """
    studies: dict[str, dict[Key, Number]] = {}
    for path in tables:
        frame = pd.read_csv(path, dtype={"table": str}).fillna({"table": ""})
        lacking = [column for column in TABLE_COLUMNS if column not in frame]
        if lacking:
            raise UserError(f"{path} lacks the columns {', '.join(lacking)}; write it again.")
        seeds = read_seeds(path)
        for record in frame.to_dict("records"):
            number = _number(record, seeds, path)
            if number is not None:
                key = (record["table"], record["row"], record["column"])
                studies.setdefault(record["study"], {})[key] = number
    return studies


def check_claims(
    claims: Sequence[Claim], published: pd.DataFrame, *, tables: Studies
) -> pd.DataFrame:
    """Return one row per claim with the columns `COLUMNS`.

    `published` is holds, fails or not decidable. `measured` can also be not-run, if a cell of the
    claim has no measured number. `scaled` is true if a number of a scaled run was used.

    Raises:
        UserError: A claim names a published number that does not exist and is not marked as
            untabulated, or is marked but all its numbers exist.
    """
    printed = _printed_numbers(published)
    records = [_record(claim, printed, tables) for claim in claims]
    return pd.DataFrame.from_records(records, columns=list(COLUMNS)).astype(_DTYPES)


def _number(
    record: Mapping[Any, Any], seeds: Mapping[tuple[str, str], Seeds], path: str | Path
) -> Number | None:
    """Return the number of a table's row; None if it was not run."""
    if record["verdict"] == Verdict.PUBLISHED_ONLY:
        return Number(record["published"])
    if pd.isna(record["measured"]):
        return None
    own = seeds.get((record["row"], record["column"]))
    if own is None:
        raise UserError(
            f"{path} has a number for {record['row']}, {record['column']}, but its seeds file "
            "does not; write the table again."
        )
    scaled = record["verdict"] == Verdict.SCALED
    return Number(record["measured"], own.error, own.values, scaled=scaled)


def _printed_numbers(published: pd.DataFrame) -> dict[str, dict[Key, Number]]:
    studies: dict[str, dict[Key, Number]] = {}
    for record in published.to_dict("records"):
        key = (record["table"], record["row"], heading(record["column"], record["protocol"]))
        studies.setdefault(record["study"], {})[key] = Number(record["value"])
    return studies


def _record(claim: Claim, printed: Studies, tables: Studies) -> dict[str, Any]:
    numbers = printed.get(claim["paper"], {})
    _check_tabulated(claim, numbers)
    known = evaluate(claim["predicate"], numbers, precision=_PRINTED)
    return {
        **{name: claim.get(name, "") for name in _COPIED},
        "published": known.verdict,
        "published_margin": known.margin,
        "published_evidence": known.evidence,
        **_measured(claim, tables.get(claim["paper"], {})),
    }


def _check_tabulated(claim: Claim, numbers: Mapping[Key, Number]) -> None:
    # Without this check a mistyped name would silently make the claim not decidable.
    unknown = [key for key in cells(claim["predicate"]) if key not in numbers]
    if unknown and not claim.get("untabulated", False):
        names = "; ".join(" / ".join(key) for key in unknown)
        raise UserError(
            f"Claim {claim['id']} names {names}, which the published numbers of {claim['paper']} "
            "lack; correct the name, or mark the claim with `untabulated: true`."
        )
    if not unknown and claim.get("untabulated", False):
        raise UserError(f"Claim {claim['id']} is marked untabulated, but all its numbers exist.")


def _measured(claim: Claim, numbers: Mapping[Key, Number]) -> dict[str, Any]:
    predicate = claim.get("measured", claim["predicate"])
    used = cells(predicate)
    missing = [key for key in used if key not in numbers]
    if missing:
        outcome = Outcome(NOT_RUN, f"{len(missing)} of {len(used)} numbers not run")
    else:
        outcome = evaluate(predicate, numbers, precision=_MEASURED)
    return {
        "measured": outcome.verdict,
        "measured_margin": outcome.margin,
        "low": outcome.low,
        "high": outcome.high,
        "scaled": None if missing else any(numbers[key].scaled for key in used),
        "measured_evidence": outcome.evidence,
    }
