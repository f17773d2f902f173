"""The whole campaign: an undisturbed run, then every fault, each judged by what the run made."""

import json
import random
import shutil
import time
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from benchmarks.chaos import disk, finished, state, writers
from benchmarks.chaos.clone import Clone
from benchmarks.chaos.compare import fingerprint
from benchmarks.chaos.kills import MOMENTS, Moments, aimed, at_random, faults, killed_run
from benchmarks.chaos.outcome import Fault, Journal, audited, markdown
from benchmarks.chaos.soak import soaked

_DEMO = ("config/demo.yaml",)
_AIMED, _AT_RANDOM = 16, 8  # kills in one run
_MOST_SECONDS = 40.0  # until a random kill


def campaign(folder: Path, *, kills: int, seed: int) -> list[Fault]:
    """Inject all faults; print each, and keep them in `folder`, from which a campaign goes on."""
    folder.mkdir(parents=True, exist_ok=True)
    journal = Journal(folder / f"faults-seed{seed}.jsonl")
    reference, expected = undisturbed(folder / "undisturbed")
    for fault in killed(folder, expected, kills=kills, seed=seed, done=journal):
        journal.add(fault)
    for inject in (finished.damages, state.damages, disk.full_disks, writers.two_writers):
        for fault in inject(reference, expected, folder, seed=seed, done=journal):
            journal.add(fault)
    report(folder, journal.faults)
    return journal.faults


def soak(folder: Path, *, runs: int, seed: int) -> list[Fault]:
    """Run the demo `runs` times for two users, killed at random; print and keep the outcomes."""
    folder.mkdir(parents=True, exist_ok=True)
    journal = Journal(folder / f"soak-seed{seed}.jsonl")
    started = time.monotonic()
    reference, expected = undisturbed(folder / "demo", config=_DEMO, targets=("all",))
    most = max((time.monotonic() - started) / 4, _MOST_SECONDS)
    for fault in soaked(
        reference, expected, folder, runs=runs, seed=seed, most_seconds=most, done=journal
    ):
        journal.add(fault)
    report(folder, journal.faults)
    return journal.faults


def undisturbed(root: Path, **asked: Any) -> tuple[Clone, dict[str, str]]:
    """Return a clone in which the workflow has run without a fault, and what it made."""
    clone = replace(Clone(root) if root.exists() else Clone.of_checkout(root), **asked)
    ended = clone.again()
    if ended.code or (found := audited(clone)):
        raise RuntimeError(ended.printed if ended.code else "\n".join(found))
    return clone, fingerprint(clone.folder, clone.results)


def killed(
    folder: Path, expected: dict[str, str], *, kills: int, seed: int, done: Journal
) -> Iterator[Fault]:
    """Yield kills, aimed and at random by turns, until there are enough."""
    names = [fault.name for fault in done.faults if " kill " in fault.name]
    injected, number = len(names), len({name.partition(" kill ")[0] for name in names})
    while injected < kills:
        source = random.Random(f"{seed} {number}")
        shutil.rmtree(folder / "killed", ignore_errors=True)
        clone = Clone.of_checkout(folder / "killed")
        most = min(kills - injected, (_AT_RANDOM if number % 2 else _AIMED))
        if number % 2:
            killer = at_random(_MOST_SECONDS)
        else:
            killer = aimed(clone.folder, Moments.drawn(source, min(most, len(MOMENTS))))
        hits, ended = killed_run(clone, killer, source, most=most)
        yield from faults(f"run {number}", clone, hits, ended, expected)
        injected, number = injected + len(hits), number + 1


def report(folder: Path, found: list[Fault]) -> None:
    """Write the table as Markdown and the faults as JSON; print the table."""
    table = markdown(found)
    (folder / "faults.md").write_text(table + "\n")
    (folder / "faults.json").write_text(json.dumps([asdict(f) for f in found], indent=1) + "\n")
    print(table)
