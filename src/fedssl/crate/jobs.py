"""The jobs of a run, read from their provenance records."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Any

from fedssl.errors import UserError
from fedssl.record.read import read_records, whole

_SCRIPTS = "workflow/scripts/"


@dataclass(frozen=True)
class Job:
    """One finished job: the path and content of its record, and the account that owns it."""

    path: str
    record: Mapping[str, Any]
    account: str

    @property
    def key(self) -> str:
        """An identifier that is unique in the run."""
        return str(self.record["digest"][:16])

    @property
    def rule(self) -> str:
        """The rule of the job."""
        return str(self.record["rule"])

    @property
    def title(self) -> str:
        """The rule and its wildcards."""
        return " ".join((self.rule, *self.record["wildcards"].values()))

    @property
    def script(self) -> str:
        """The job's script, relative to the checkout.

        Raises:
            UserError: The record names no script of the workflow.
        """
        for name in self.record["sources"]:
            _, found, script = f"/{name}".rpartition(f"/{_SCRIPTS}")
            if found:
                return f"{_SCRIPTS}{script}"
        raise UserError(
            f"{self.path} names no script below {_SCRIPTS}, so no job of this workflow wrote it; "
            "remove it and its files, or run the job again."
        )

    @property
    def commit(self) -> str:
        """The git commit, with -dirty if there were uncommitted changes."""
        git = self.record["git"]
        return f"{git['commit'] or 'unknown'}{'-dirty' if git['dirty'] else ''}"

    @property
    def circumstances(self) -> str:
        """A sentence on the commit and the machine of the job."""
        return f"Commit {self.commit}, on {self.machine}."

    @property
    def machine(self) -> str:
        """The processor, the number of its cores, and the GPU."""
        found = self.record["hardware"]
        return f"{found['cpu']}, {found['cores']} cores, {found['gpu'] or 'no GPU'}"


def read_jobs(results: str) -> list[Job]:
    """Return all jobs of a run except the one that writes the crate, and the audit of all."""
    records = map(whole, read_records(Path(results)))
    return [
        _job(str(record.path), record.content)
        for record in records
        if record.rule not in ("crate", "audit")
    ]


def rule_order(jobs: Iterable[Job]) -> list[str]:
    """Return the rules in an order in which each comes after the rules whose outputs it reads."""
    jobs = list(jobs)
    made_by = {path: job.rule for job in jobs for path in job.record["outputs"]}
    # Sorted, because the order of a set differs between runs and would change the crate.
    graph: dict[str, set[str]] = {rule: set() for rule in sorted({job.rule for job in jobs})}
    for job in jobs:
        read = {made_by[path] for path in job.record["inputs"] if path in made_by}
        graph[job.rule] |= read - {job.rule}
    return list(TopologicalSorter({rule: sorted(graph[rule]) for rule in graph}).static_order())


def _job(path: str, record: Mapping[str, Any]) -> Job:
    # Records do not name a person; the owner of the file is the best available agent.
    try:
        account = Path(path).owner()
    except KeyError:  # the owner has no account on this machine
        account = str(Path(path).stat().st_uid)
    return Job(path, record, account)
