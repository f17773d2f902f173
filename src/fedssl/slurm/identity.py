"""How a Slurm job says what it is: its name for people, its comment for the next run."""

import hashlib
import json
from collections.abc import Container, Mapping
from pathlib import Path
from typing import Any

from fedssl.slurm.parts import members
from fedssl.slurm.queue import QueuedJob

_LONGEST_NAME = 200


def job_name(job: Any, prefix: str | None = None) -> str:
    """Return a name that begins with the rule: squeue shows only its first letters."""
    what = [job.groupid] if job.is_group() else job.wildcards
    name = "_".join(filter(None, (prefix, *sorted(job.rules), *what)))
    return name.replace("/", "_")[:_LONGEST_NAME]


def comment_of(job: Any) -> str:
    """Return a mark of each member: a digest of the files it writes, and one of its parameters."""
    return " ".join(f"{files}.{settings}" for files, settings in _marks(job).items())


def earlier(
    job: Any, queue: Mapping[str, QueuedJob], folder: str, *, known: Container[str]
) -> tuple[str | None, list[str]]:
    """Return the queued job that does the same as `job`, and others that write a file of its.

    Only jobs that were submitted from `folder` count: Snakemake locks the files that it makes
    there, so that an earlier run has left these. Those that are `known` belong to this run.
    """
    wanted = _marks(job)
    same, others = None, []
    for number, queued in queue.items():
        if number in known or queued.ended or queued.folder != str(folder):
            continue
        marks = dict(word.partition(".")[::2] for word in queued.comment.split())
        if marks == wanted and same is None:
            same = number
        elif marks.keys() & wanted.keys():
            others.append(number)
    return same, others


def _marks(job: Any) -> dict[str, str]:
    return {
        _digest([str(Path(output).absolute()) for output in member.output]): _digest(
            [member.rule.name, member.shellcmd, *sorted(map(repr, member.params))]
        )
        for member in members(job)
    }


def _digest(words: list[str | None]) -> str:
    return hashlib.sha256(json.dumps(words).encode()).hexdigest()[:10]
