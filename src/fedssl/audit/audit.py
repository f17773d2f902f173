"""Audit a results folder: all hashes, all numbers, and all links between jobs."""

import logging
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

from fedssl.audit.chain import ABSENT, Chain
from fedssl.audit.findings import Finding, Note, Verdict
from fedssl.audit.recompute import recomputed
from fedssl.audit.seal import record_digests, seal_findings, unsealed_findings
from fedssl.audit.units import Unit, leftover_unit, units, unrecorded_unit
from fedssl.errors import UserError
from fedssl.files import write_json
from fedssl.record.damage import UNLISTED, unlisted
from fedssl.record.folder import results_folder
from fedssl.record.leftovers import find_leftovers, progress
from fedssl.record.read import Record, read_records
from fedssl.record.seal import provenance_root

_log = logging.getLogger("fedssl")
_ACCEPTED = (Verdict.SOUND, Verdict.CHANGED_CODE)


@dataclass(frozen=True)
class Audit:
    """The result of an audit: units with their findings, and the digest of each record."""

    results: Path
    units: tuple[Unit, ...]
    records: dict[str, str]

    @property
    def seal(self) -> str:
        """The hash over all records."""
        return provenance_root(self.records.values())

    @property
    def passed(self) -> bool:
        """Whether all units are sound, or differ only in code that was edited after the run."""
        # Edited code is accepted, because otherwise any later commit would fail older results.
        return all(unit.verdict in _ACCEPTED for unit in self.units)

    @property
    def not_verified(self) -> list[str]:
        """The files with recordings or images that are absent, so that no hash was compared."""
        notes = (note for unit in self.units for note in unit.notes)
        return sorted({note.file for note in notes if note.what == ABSENT})

    def counts(self) -> dict[str, dict[str, int]]:
        """Return the number of units by kind and verdict."""
        kinds = sorted({unit.kind for unit in self.units})
        counted = Counter((unit.kind, unit.verdict) for unit in self.units)
        return {
            kind: {str(v): counted[kind, v] for v in Verdict if counted[kind, v]} for kind in kinds
        }

    def as_data(self) -> dict[str, Any]:
        """Return everything as plain data, as in audit.json."""
        return {
            "seal": self.seal,
            "passed": self.passed,
            "counts": self.counts(),
            "not_verified": self.not_verified,
            "units": [asdict(unit) for unit in self.units],
            "records": self.records,
        }


def audit(results: str | Path, *, seal: str | None = None) -> Audit:
    """Audit a results folder, and compare its records with a published seal.

    Nothing is written. The code of the jobs is compared with the checkout of this package.

    Raises:
        UserError: There is no such folder, or it has no record.
    """
    root = results_folder(results)
    chain = Chain(root, read_records(root))
    # Reading and hashing files releases Python's lock, so threads are enough.
    with ThreadPoolExecutor() as pool:
        parts = pool.map(partial(_found, chain), chain.records)
        found = {record.path: part for record, part in zip(chain.records, parts, strict=True)}
    digests = record_digests(chain.records)
    others = [*_unrecorded(chain), *seal_findings(digests, root=root, expected=seal)]
    further = (*map(unrecorded_unit, others), *map(leftover_unit, _leftovers(root)))
    return Audit(root, (*units(chain, found), *further), digests)


def seal_results(results: str | Path, path: str | Path) -> None:
    """Audit a results folder, write the result to `path`, and log the seal.

    Raises:
        UserError: The audit did not pass. The message lists the findings; nothing is written.
    """
    result = audit(results)
    if not result.passed:
        unsound = [f for unit in result.units for f in unit.findings if f.verdict not in _ACCEPTED]
        listed = "\n".join(f"  {f.verdict}: {f.file} {f.what}" for f in unsound)
        raise UserError(f"{results} did not pass its audit:\n{listed}")
    write_json(path, result.as_data())
    _log.info("the seal of %s is %s", results, result.seal)


def _found(chain: Chain, record: Record) -> list[Finding | Note]:
    found = [*chain.findings(record), *recomputed(record, chain)]
    return [*found, *unsealed_findings(record, root=chain.root)]


def _unrecorded(chain: Chain) -> Iterator[Finding]:
    """Yield a finding for each file in the results that no record lists."""
    for path in unlisted(chain.root, chain.recorded):
        name = path.relative_to(chain.root).as_posix()
        yield Finding(Verdict.INCOMPLETE, name, UNLISTED)


def _leftovers(root: Path) -> Iterator[Note]:
    """Yield a note for each file or folder that a killed job left, and for kept progress."""
    for leftover in find_leftovers(root):
        yield Note(leftover.path.relative_to(root).as_posix(), leftover.what)
    for path in progress(root):
        what = "is progress of a job; `fedssl repair` says whether the job still needs it"
        yield Note(path.relative_to(root).as_posix(), what)
