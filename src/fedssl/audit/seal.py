"""One number that stands for a whole folder of results, to be printed where nobody can edit it."""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from fedssl.audit.findings import Finding, Note, Verdict
from fedssl.files import read_json
from fedssl.record.read import Record, at_hand, shown
from fedssl.record.seal import ABOUT, is_sealed, provenance_root

FILE = "audit.json"
# The files that rules about the results write, below the results folder.
_ABOUT_FILES = {
    "audit": FILE,
    "certificate": "certificate.md",
    "crate": "ro-crate-metadata.json",
    "report_page": "report/index.html",
}


def record_digests(records: Iterable[Record]) -> dict[str, str]:
    """Return the digest of each record that the seal counts, by the record's path."""
    return {
        record.name: str(record.content.get("digest", ""))
        for record in records
        if not record.outside and is_sealed(record.name, record.content)
    }


def seal_of(digests: Mapping[str, str]) -> str:
    """Return the SHA-256 over the digests of all records: the seal.

    Each record has the hashes of its job's files and code, so nothing in the folder can change
    without changing the seal.
    """
    return provenance_root(digests.values())


def seal_findings(
    digests: Mapping[str, str], *, root: Path, expected: str | None
) -> Iterator[Finding]:
    """Yield where the records do not give the seal `expected`, or that of an earlier audit.json."""
    if expected is not None and expected != seal_of(digests):
        what = f"give the seal {seal_of(digests)}, not {expected}"
        yield Finding(Verdict.TAMPERED, "the records", what)
    if at_hand(root / FILE):
        yield from _changes(_sealed(root / FILE), digests)


def unsealed_findings(record: Record, *, root: Path) -> Iterator[Finding | Note]:
    """Yield a note for each file about the results, which the seal does not cover.

    The files quote the seal, so it cannot cover them. They are checked against their own record
    only. A record that claims another file for such a rule would take it out of the seal.
    """
    if record.rule not in ABOUT or record.outside:
        return
    for path in record.files("outputs"):
        place = shown(path, root)
        if place == _ABOUT_FILES[record.rule]:
            yield Note(place, "is not sealed: it was compared with its own record only")
        elif not (record.rule == "crate" and place.startswith("code/")):
            yield Finding(Verdict.TAMPERED, place, f"is no file that {record.rule} writes")


def _changes(before: Mapping[str, str] | None, digests: Mapping[str, str]) -> Iterator[Finding]:
    """Yield one finding where the records are not those of an earlier audit."""
    if before is None:
        yield Finding(Verdict.TAMPERED, FILE, "is not what an audit writes")
    elif before != digests:
        changed = [name for name in before if digests.get(name, before[name]) != before[name]]
        counts = f"{len(changed)} changed, {len(digests.keys() - before.keys())} new"
        gone = f"{len(before.keys() - digests.keys())} gone"
        what = f"sealed other records ({counts}, {gone}) {' '.join(changed)}".rstrip()
        yield Finding(Verdict.CHANGED_DATA, FILE, what)


def _sealed(path: Path) -> Mapping[str, str] | None:
    """Return the digests that an earlier audit sealed; None if the file does not say."""
    try:
        content = read_json(path)
        records: Mapping[str, str] = dict(content["records"])
        return records if seal_of(records) == content["seal"] else None
    except (OSError, ValueError, KeyError, TypeError):
        return None
