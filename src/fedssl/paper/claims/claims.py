"""What the papers say of their numbers, tested on theirs and on ours."""

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

COLUMNS = (
    "id",
    "paper",
    "section",
    "quote",
    "reading",
    "published",
    "published_margin",
    "published_evidence",
    "measured",
    "measured_margin",
    "low",
    "high",
    "scaled",
    "measured_evidence",
)
NOT_RUN = "not-run"
_DTYPES = {
    "published_margin": "float64",
    "measured_margin": "float64",
    "low": "float64",
    "high": "float64",
    "scaled": "boolean",
}
# Points within which `=` holds: two roundings in print; as for a table's verdict when measured.
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
    """Write every claim with its verdicts as CSV (numbers rounded to four decimals).

    Args:
        claims: The claims, as `read_claims` takes them.
        published: All files of published numbers.
        tables: Table CSVs, each next to the file of its seeds; tables that do not exist count
            as not run.
        path: Where the CSV goes.
    """
    existing = [table for table in map(Path, tables) if table.is_file()]
    frame = check_claims(
        read_claims(claims), read_published(published), tables=measured_numbers(existing)
    )
    with atomic_write(path) as temporary:
        frame.round(4).to_csv(temporary, index=False, lineterminator="\n")


def read_claims(path: str | Path) -> list[dict[str, Any]]:
    """Return the claims of a YAML file, valid by `settings.Claim`.

    Raises:
        UserError: A claim is not valid, compares cells that do not match, or takes the id of
            another; names file and claim.
    """
    claims = read_entries(path)
    for claim in claims:
        try:
            for name in {"predicate", "measured"} & set(claim):
                cells(claim[name])
        except ValueError as mismatch:
            raise UserError(f"{path}: claim {claim['id']}: {mismatch}.") from mismatch
    return claims


def measured_numbers(tables: Iterable[str | Path]) -> dict[str, dict[Key, Number]]:
    """Return the measured cells of table CSVs by study, with the values of their seeds.

    A row that the paper compares with and nobody reruns (verdict published-only) counts with its
    published number.

    Raises:
        UserError: A file lacks a column of a table CSV, or the file of its seeds or one of these.
    """
    studies: dict[str, dict[Key, Number]] = {}
    for path in tables:
        frame = pd.read_csv(path, dtype={"table": str}).fillna({"table": ""})
        lacking = [column for column in TABLE_COLUMNS if column not in frame]
        if lacking:
            raise UserError(f"{path} lacks the columns {', '.join(lacking)} of a table CSV.")
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
    """Return one row per claim, with the columns `COLUMNS`.

    `published` is holds, fails or not decidable; `measured` may be not-run too, wherever a cell of
    the claim has no measured number. `scaled` says that a number of `mini` or `demo` took part.

    Raises:
        UserError: A claim names a published number that does not exist and is not marked as
            untabulated, or is marked although all its numbers exist.
    """
    printed = _printed_numbers(published)
    records = [_record(claim, printed, tables) for claim in claims]
    return pd.DataFrame.from_records(records, columns=list(COLUMNS)).astype(_DTYPES)


def _number(
    record: Mapping[Any, Any], seeds: Mapping[tuple[str, str], Seeds], path: str | Path
) -> Number | None:
    """Return a cell of a table; None for one that was not run."""
    if record["verdict"] == Verdict.PUBLISHED_ONLY:
        return Number(record["published"])
    if pd.isna(record["measured"]):
        return None
    own = seeds.get((record["row"], record["column"]))
    if own is None:
        raise UserError(
            f"{path} has a number of {record['row']}, {record['column']}, of which the seeds "
            "beside it say nothing; write the table again."
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
    record = {name: claim.get(name, "") for name in ("id", "paper", "section", "quote", "reading")}
    record |= {
        "published": known.verdict,
        "published_margin": known.margin,
        "published_evidence": known.evidence,
    }
    return record | _measured(claim, tables.get(claim["paper"], {}))


def _check_tabulated(claim: Claim, numbers: Mapping[Key, Number]) -> None:
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
        outcome = Outcome(
            NOT_RUN, None, None, None, f"{len(missing)} of {len(used)} numbers not run"
        )
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
