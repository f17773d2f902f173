"""Group the findings of all jobs by cell, table or bank, with one verdict each."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from fedssl.audit.chain import Chain
from fedssl.audit.findings import Finding, Note, Verdict, worst
from fedssl.grid.cell import FOLDER
from fedssl.grid.paths import RECORD
from fedssl.record.read import Record

# The jobs of one cell write to several folders: pretrain/<cell>/, evaluate/<cell>/<task>/.
_CELL = re.compile(rf"[^/]+/(?P<cell>{FOLDER})/")


@dataclass(frozen=True)
class Unit:
    """A cell, table or other product.

    Attributes:
        kind: kind of unit, such as cells or tables.
        name: name of the unit.
        verdict: the worst verdict of its findings and of the units that it depends on.
        findings: findings on its own jobs.
        notes: remarks on its own jobs.
        rests_on: the units with findings that it depends on.
    """

    kind: str
    name: str
    verdict: Verdict
    findings: tuple[Finding, ...]
    notes: tuple[Note, ...]
    rests_on: tuple[str, ...]


Name = tuple[str, str]  # kind and name
Found = Mapping[Path, Sequence[Finding | Note]]  # by path of the record


def units(chain: Chain, found: Found) -> list[Unit]:
    """Return the units of a results folder, sorted; `found` has the findings of each record."""
    names = {record.path: unit_name(record) for record in chain.records}
    own: dict[Name, list[Finding | Note]] = {}
    needs: dict[Name, set[Name]] = {}
    for record in chain.records:
        name = names[record.path]
        own.setdefault(name, []).extend(found[record.path])
        needs.setdefault(name, set()).update(names[w.path] for w in chain.writers(record))
    return [_unit(name, own, _upstream(name, needs)) for name in sorted(own)]


def unit_name(record: Record) -> Name:
    """Return the kind and name of the unit of a record."""
    place = record.path.relative_to(record.root).as_posix()
    if cell := _CELL.match(place):
        return "cells", cell["cell"]
    if record.outside:
        place = f"archives/{record.root.name}/{place}"
    kind, _, name = place.rpartition("/") if place.count("/") < 2 else place.partition("/")
    return kind or "results", name.removesuffix(RECORD).rstrip("./")


def unrecorded_unit(finding: Finding) -> Unit:
    """Return a unit for a finding that belongs to no record."""
    return Unit("unrecorded", finding.file, finding.verdict, (finding,), (), ())


def leftover_unit(note: Note) -> Unit:
    """Return a unit for a leftover, which changes no verdict."""
    return Unit("leftovers", note.file, Verdict.SOUND, (), (note,), ())


def _upstream(name: Name, needs: Mapping[Name, set[Name]]) -> set[Name]:
    """Return all units that a unit depends on, directly or indirectly."""
    found: set[Name] = set()
    waiting = set(needs[name])
    while waiting:
        found |= waiting
        waiting = {further for unit in waiting for further in needs[unit]} - found
    return found - {name}


def _unit(
    name: Name,
    own: Mapping[Name, Sequence[Finding | Note]],
    upstream: set[Name],
) -> Unit:
    findings = {unit: _findings(own[unit]) for unit in (name, *upstream)}
    unsound = sorted(unit for unit in upstream if findings[unit])
    verdicts = [finding.verdict for found in findings.values() for finding in found]
    return Unit(
        kind=name[0],
        name=name[1],
        verdict=worst(verdicts),
        findings=findings[name],
        notes=tuple(dict.fromkeys(part for part in own[name] if isinstance(part, Note))),
        rests_on=tuple("/".join(unit) for unit in unsound),
    )


def _findings(parts: Sequence[Finding | Note]) -> tuple[Finding, ...]:
    return tuple(dict.fromkeys(part for part in parts if isinstance(part, Finding)))
