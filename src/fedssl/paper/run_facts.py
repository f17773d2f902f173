"""What the records of a run say together: when, where, by which code, from which data."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fedssl.files import digest, read_json

Record = Mapping[str, Any]
_HOUR = 3600  # seconds
_FEW = 8  # the dataset of this project with most archives has 6; own files are thousands


@dataclass(frozen=True)
class Dataset:
    """A dataset as it was read: samples per split, unreadable members, archives by path."""

    name: str
    counts: Mapping[str, int]
    unreadable: int
    archives: Mapping[str, str]

    @property
    def checksums(self) -> str:
        """Each archive's SHA-256, or that of all of them where they are many."""
        if len(self.archives) <= _FEW:
            return "; ".join(f"{Path(p).name} {value}" for p, value in self.archives.items())
        return f"{len(self.archives)} files, together {digest(dict(self.archives))}"


def commits(records: Iterable[Record]) -> list[str]:
    """Return each state of the code and how many jobs ran it, the most first."""
    states = Counter(_commit(record["git"]) for record in records)
    return [f"{state} ({count} jobs)" for state, count in states.most_common()]


def uncommitted(records: Iterable[Record]) -> int:
    """Return how many jobs ran code that no commit is known to hold."""
    return sum(record["git"]["dirty"] is not False for record in records)


def hardware(records: Iterable[Record]) -> list[str]:
    """Return each kind of machine, its jobs and their hours, the longest first."""
    hours: Counter[str] = Counter()
    jobs: Counter[str] = Counter()
    for record in records:
        machine = record["hardware"]
        name = f"{machine['cpu']}, {machine['cores']} cores, {machine['gpu'] or 'no GPU'}"
        hours[name] += record["seconds"] / _HOUR
        jobs[name] += 1
    return [f"{name} ({jobs[name]} jobs, {spent:.2f} h)" for name, spent in hours.most_common()]


def hours(records: Iterable[Record], *, gpu: bool) -> float:
    """Return the wall time of all jobs that saw a GPU, or of all that did not."""
    used = (r["seconds"] for r in records if (r["hardware"]["gpu"] is not None) == gpu)
    seconds: float = sum(used)
    return seconds / _HOUR


def environments(records: Iterable[Record]) -> list[str]:
    """Return each set of versions and how many jobs ran with it, the most first."""
    sets = Counter(
        ", ".join([f"Python {record['python']}", *_versions(record)]) for record in records
    )
    return [f"{versions} ({count} jobs)" for versions, count in sets.most_common()]


def datasets(records: Mapping[str, Record], results: str | Path) -> list[Dataset]:
    """Return the datasets that were read; `records` are by their path below `results`."""
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
    described = read_json(bank)
    name = record["wildcards"]["dataset"]
    return Dataset(name, described["counts"], len(described["bad"]), record["inputs"])
