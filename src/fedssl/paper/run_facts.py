"""Summarise the records of a run: when and where it ran, with which code and data."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fedssl.files import digest, read_json

Record = Mapping[str, Any]
_HOUR = 3600  # seconds
# Published datasets have at most 6 archives here. A dataset of own files can have thousands.
_FEW = 8


@dataclass(frozen=True)
class Dataset:
    """A dataset as the run read it.

    Attributes:
        name: Name in the configuration.
        counts: Number of samples of each split.
        unreadable: Number of damaged members.
        checksums: SHA-256 of each archive, or one over all if there are many.
    """

    name: str
    counts: Mapping[str, int]
    unreadable: int
    checksums: str


def commits(records: Iterable[Record]) -> list[str]:
    """Return each state of the code with its number of jobs, the most frequent first."""
    states = Counter(_commit(record["git"]) for record in records)
    return [f"{state} ({count} jobs)" for state, count in states.most_common()]


def uncommitted(records: Iterable[Record]) -> int:
    """Return the number of jobs whose code differs from its commit or has no known commit."""
    return sum(record["git"]["dirty"] is not False for record in records)


def hardware(records: Iterable[Record]) -> list[str]:
    """Return each kind of machine with its jobs and hours, the one with most hours first."""
    hours: Counter[str] = Counter()
    jobs: Counter[str] = Counter()
    for record in records:
        machine = record["hardware"]
        name = f"{machine['cpu']}, {machine['cores']} cores, {machine['gpu'] or 'no GPU'}"
        hours[name] += record["seconds"] / _HOUR
        jobs[name] += 1
    return [f"{name} ({jobs[name]} jobs, {spent:.2f} h)" for name, spent in hours.most_common()]


def hours(records: Iterable[Record], *, gpu: bool) -> float:
    """Return the wall time, in hours, of the jobs on machines with a GPU, or without one."""
    used = (r["seconds"] for r in records if (r["hardware"]["gpu"] is not None) == gpu)
    seconds: float = sum(used)
    return seconds / _HOUR


def environments(records: Iterable[Record]) -> list[str]:
    """Return each set of package versions with its number of jobs, the most frequent first."""
    sets = Counter(
        ", ".join([f"Python {record['python']}", *_versions(record)]) for record in records
    )
    return [f"{versions} ({count} jobs)" for versions, count in sets.most_common()]


def datasets(records: Mapping[str, Record], results: str | Path) -> list[Dataset]:
    """Return the datasets of the run's banks, given path below `results` -> record."""
    return [
        _dataset(record, Path(results, name).with_name("bank.json"))
        for name, record in records.items()
        if record["rule"].startswith("bank_")
    ]


def _commit(git: Mapping[str, Any]) -> str:
    if git["commit"] is None:
        return "outside a git checkout, commit unknown"
    return f"{git['commit']}{', with uncommitted changes' if git['dirty'] else ', clean'}"


def _versions(record: Record) -> list[str]:
    return [f"{name} {version}" for name, version in sorted(record["packages"].items())]


def _dataset(record: Record, bank: Path) -> Dataset:
    facts, archives = read_json(bank), record["inputs"]
    if len(archives) <= _FEW:
        checksums = "; ".join(f"{Path(path).name} {sha256}" for path, sha256 in archives.items())
    else:
        checksums = f"{len(archives)} files, together {digest(dict(archives))}"
    return Dataset(record["wildcards"]["dataset"], facts["counts"], len(facts["bad"]), checksums)
