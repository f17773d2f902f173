"""The seal: one hash for a whole results folder, to be published where nobody can edit it.

It is the provenance root of the folder's records. Each record has the hashes of its job's files and
code, so any change in the folder changes the seal.
"""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from fedssl.audit.findings import Finding, Note, Verdict
from fedssl.files import read_json
from fedssl.record.read import Record, is_readable, shown
from fedssl.record.seal import ABOUT, is_sealed, provenance_root

FILE = "audit.json"
# Outputs, below the results folder, of the rules that the seal does not cover.
_ABOUT_FILES = {
    "audit": {FILE},
    "certificate": {"certificate.md"},
    "crate": {"ro-crate-metadata.json", "ro-crate-preview.html"},
    "report_page": {"report/index.html"},
}


def record_digests(records: Iterable[Record]) -> dict[str, str]:
    """Return the digest of each record that the seal covers, by the record's path."""
    return {
        record.name: str(record.content.get("digest", ""))
        for record in records
        if not record.outside and is_sealed(record)
    }


def seal_findings(
    digests: Mapping[str, str], *, root: Path, expected: str | None
) -> Iterator[Finding]:
    """Yield the differences from the seal `expected`, and from an earlier audit.json."""
    seal = provenance_root(digests.values())
    if expected not in (None, seal):
        what = f"give the seal {seal}, not {expected}"
        yield Finding(Verdict.TAMPERED, "the records", what)
    if is_readable(root / FILE):
        yield from _changes(_sealed(root / FILE), digests)


def unsealed_findings(record: Record, *, root: Path) -> Iterator[Finding | Note]:
    """Yield a note for each file that the seal does not cover.

    These files quote the seal, so it cannot cover them. They are only compared with their own
    record.
    """
    if record.rule not in ABOUT or record.outside:
        return
    for path in record.files("outputs"):
        place = shown(path, root)
        if place in _ABOUT_FILES[record.rule]:
            yield Note(place, "is not covered by the seal and was only compared with its record")
        # Otherwise a forged record could name any file here and so take it out of the seal.
        elif not (record.rule == "crate" and place.startswith("code/")):
            yield Finding(Verdict.TAMPERED, place, f"is not an output of {record.rule}")


def _changes(before: Mapping[str, str] | None, digests: Mapping[str, str]) -> Iterator[Finding]:
    """Yield one finding if the records differ from those of an earlier audit."""
    if before is None:
        yield Finding(Verdict.TAMPERED, FILE, "is not the output of an audit")
    elif before != digests:
        changed = [name for name in before if digests.get(name, before[name]) != before[name]]
        counts = f"{len(changed)} changed, {len(digests.keys() - before.keys())} new"
        gone = f"{len(before.keys() - digests.keys())} gone"
        what = f"covers other records ({counts}, {gone}) {' '.join(changed)}".rstrip()
        yield Finding(Verdict.CHANGED_DATA, FILE, what)


def _sealed(path: Path) -> Mapping[str, str] | None:
    """Return the digests in an earlier audit.json; None if the file is not valid."""
    try:
        content = read_json(path)
        records: Mapping[str, str] = dict(content["records"])
        return records if provenance_root(records.values()) == content["seal"] else None
    except (OSError, ValueError, KeyError, TypeError):
        return None
