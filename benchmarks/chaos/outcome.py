"""Judge how the workflow took a fault, and print the table of all faults."""

import contextlib
import json
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path

from benchmarks.chaos.clone import Clone, Ended
from benchmarks.chaos.compare import differences, fingerprint, left_behind

from fedssl.audit.audit import audit


class Outcome(StrEnum):
    """How a fault ended, after the same command was given again."""

    IDENTICAL = "identical"  # finished, with the files of an undisturbed run, and the audit passes
    REFUSED = "refused"  # the command ends with a sentence that names the fault
    FOUND = "found"  # the audit names it
    UNCLEAR = "unclear"  # the command fails, and does not say why in a sentence of its own
    SILENT = "silent"  # a wrong file is believed
    MISSED = "missed"  # not injected: the moment did not come


@dataclass(frozen=True)
class Fault:
    """A fault that was injected, and how it ended.

    Attributes:
        kind: kind of fault; a row of the table.
        how: how it was injected; the rest of the row.
        name: what makes it unique in a campaign.
        outcome: how it ended.
        times: number of injections, such as kills in one run.
        detail: what was seen, for a reader of the JSON file.
        left: temporary files and processes that were left behind.
    """

    kind: str
    how: str
    name: str
    outcome: Outcome
    times: int = 1
    detail: str = ""
    left: tuple[str, ...] = ()


# A mistake of a user or a damaged file, in the project's own words; or a file that is not there.
_OWN_WORDS = re.compile(r"^fedssl: (.*)$|(MissingInputException.*)", re.MULTILINE)


def own_words(ended: Ended) -> list[str]:
    """Return the sentences in which a command says why it failed."""
    return [found[1] or found[2] for found in _OWN_WORDS.finditer(ended.printed)]


def mentions(line: str, name: str) -> bool:
    """Return whether a sentence names a file, or the dataset in whose folder it lies."""
    return name in line or Path(name).parent.name in line.split()


def judge(
    clone: Clone, ended: Ended, expected: dict[str, str], *, named: str = ""
) -> tuple[Outcome, str]:
    """Return the outcome of a command that ended, and what was seen.

    `expected` are the files of an undisturbed run; `named` is the name of a damaged file, which a
    sentence of a refusal has to contain.
    """
    if ended.code:
        said = next((line for line in own_words(ended) if mentions(line, named)), "")
        return (Outcome.REFUSED, said) if said else (Outcome.UNCLEAR, ended.printed[-1500:])
    found = audited(clone)
    other = differences(fingerprint(clone.folder, clone.results), expected)
    if found:
        is_named = any(named in line or any(name in line for name in other) for line in found)
        return (Outcome.FOUND if is_named else Outcome.UNCLEAR), "; ".join(found)
    if other:
        return Outcome.SILENT, f"differ from the undisturbed run: {', '.join(other)}"
    return Outcome.IDENTICAL, ""


def audited(clone: Clone) -> list[str]:
    """Return what `fedssl audit` finds, and which files it says that it could not verify."""
    # Records name their files relative to the checkout, where the command is given.
    with contextlib.chdir(clone.root):
        result = audit(clone.results)
    absent = [f"not verified: {file}" for file in result.not_verified]
    if result.passed:
        return absent
    found = (finding for unit in result.units for finding in unit.findings)
    return [f"{finding.verdict}: {finding.file} {finding.what}" for finding in found] + absent


def remains(clone: Clone, ended: Ended) -> tuple[str, ...]:
    """Return what a run left behind."""
    processes = (f"{ended.left} processes",) if ended.left else ()
    return (*left_behind(clone.folder), *processes)


class Journal:
    """The faults of a campaign, kept in a file so that it can go on after an interruption."""

    def __init__(self, path: Path) -> None:
        """Read the faults that an earlier run has injected."""
        self._path = path
        self.faults: list[Fault] = []
        if path.exists():
            for line in path.read_text().splitlines():
                entry = json.loads(line)
                outcome, left = Outcome(entry.pop("outcome")), tuple(entry.pop("left"))
                self.faults.append(Fault(**entry, outcome=outcome, left=left))

    def has(self, name: str) -> bool:
        """Return whether a fault of this name was injected."""
        return any(fault.name == name for fault in self.faults)

    def add(self, fault: Fault) -> None:
        """Keep a fault and print it."""
        self.faults.append(fault)
        with self._path.open("a") as file:
            file.write(json.dumps(asdict(fault)) + "\n")
        print(f"{fault.outcome:9} {fault.name} {fault.detail[:300]}", flush=True)


def markdown(faults: Iterable[Fault]) -> str:
    """Return the table, one row per kind and way, and the number of silent faults."""
    rows: dict[tuple[str, str], Counter[str]] = {}
    for fault in faults:
        counts = rows.setdefault((fault.kind, fault.how), Counter())
        counts[fault.outcome] += fault.times
        counts["left"] += len(fault.left)
    columns = [o for o in Outcome if o is not Outcome.MISSED]
    lines = [
        f"| fault | how | times | survived | {' | '.join(columns)} | files left |",
        "| --- | --- |" + " ---: |" * (len(columns) + 3),
    ]
    total: Counter[str] = Counter()
    for (kind, how), counts in rows.items():
        lines.append(_row(kind, how, counts))
        total += counts
    lines.append(_row("all", "", total))
    return "\n".join([*lines, "", f"silent faults: {total[Outcome.SILENT]}"])


def _row(kind: str, how: str, counts: Counter[str]) -> str:
    columns = [o for o in Outcome if o is not Outcome.MISSED]
    times = sum(counts[o] for o in columns)
    survived = sum(counts[o] for o in (Outcome.IDENTICAL, Outcome.REFUSED, Outcome.FOUND))
    numbers = [times, survived, *(counts[o] for o in columns), counts["left"]]
    return f"| {kind} | {how} | {' | '.join(map(str, numbers))} |"
