"""Damage each kind of file of a finished run: at rest, and while a job reads it."""

import random
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path

from benchmarks.chaos.clone import Clone
from benchmarks.chaos.compare import differences, fingerprint
from benchmarks.chaos.damage import KINDS, WAYS, damage, files_of
from benchmarks.chaos.outcome import Fault, Journal, Outcome, audited, judge, mentions, own_words

# Damaged together. A job whose record is damaged runs again, and would read the others.
_RECORDS = tuple(kind for kind in KINDS if kind.startswith("record"))
_AT_ONCE = (tuple(kind for kind in KINDS if kind not in _RECORDS), _RECORDS)


def damages(
    reference: Clone, expected: dict[str, str], folder: Path, *, seed: int, done: Journal
) -> Iterator[Fault]:
    """Yield each damage to each kind of file."""
    for way in WAYS:
        for kinds in _AT_ONCE:
            if not done.has(_name_at_rest(way, kinds[0])):
                at_rest = AtRest(reference, expected, folder / "damaged")
                yield from at_rest.run(way, kinds, seed=seed)
    for way in WAYS:
        for kind in KINDS:
            name = f"{way}, then read: {kind}"
            if KINDS[kind].read_by and not done.has(name):
                reading = Reading(reference, expected, folder / "damaged", kind)
                outcome, detail = reading.run(way, random.Random(f"{seed} {name}"))
                yield Fault(kind, f"{way}, then a job reads it", name, outcome, detail=detail)


class AtRest:
    """A copy of the finished run with one damaged file of each kind, which no job need read."""

    def __init__(self, reference: Clone, expected: dict[str, str], folder: Path) -> None:
        """Copy the finished run into `folder`."""
        self._reference, self._clone = reference, copied(reference, folder)
        self._expected = expected

    def run(self, way: str, kinds: Iterable[str] = _AT_ONCE[0], *, seed: int) -> Iterator[Fault]:
        """Damage a file of each kind, give the command again, and yield what came of each."""
        left: dict[str, Path] = {}
        for kind in kinds:
            if not (files := files_of(self._clone.folder, KINDS[kind])):
                continue
            path, *others = files
            try:
                damage(path, others, way=way, source=random.Random(f"{seed} {way} {kind}"))
                left[kind] = path
            except LookupError as reason:
                yield _at_rest(way, kind, Outcome.MISSED, str(reason))
        while left:
            ended = self._clone.again()
            if ended.code == 0:
                yield from self._audited(way, left)
                return
            said = own_words(ended)
            named = self._named(said, left)
            # Without a sentence, the first in the order of jobs is the most likely cause.
            for kind in named or list(left)[:1]:
                detail = "; ".join(said) if named else ended.printed[-1500:]
                outcome = Outcome.REFUSED if named else Outcome.UNCLEAR
                yield _at_rest(way, kind, outcome, detail)
                # What was refused is put back, so that the others are seen as well.
                put_back(left.pop(kind), self._clone, self._reference)

    def _named(self, said: list[str], left: dict[str, Path]) -> list[str]:
        """Return the kinds whose file a sentence names, or the first whose dataset is named."""
        names = {kind: self._name(path) for kind, path in left.items()}
        exact = [kind for kind in left if any(names[kind] in line for line in said)]
        return exact or [k for k in left if any(mentions(line, names[k]) for line in said)][:1]

    def _audited(self, way: str, left: dict[str, Path]) -> Iterator[Fault]:
        found = audited(self._clone)
        different = differences(
            fingerprint(self._clone.folder, self._clone.results), self._expected
        )
        for kind, path in left.items():
            name = self._name(path)
            lines = [line for line in found if name in line]
            if lines:
                yield _at_rest(way, kind, Outcome.FOUND, "; ".join(lines))
            else:
                is_whole = name not in different and path.is_file()
                outcome = Outcome.IDENTICAL if is_whole else Outcome.SILENT
                yield _at_rest(way, kind, outcome, name)

    def _name(self, path: Path) -> str:
        return path.relative_to(self._clone.folder).as_posix()


class Reading:
    """A copy of the finished run with one damaged file, which a job reads again."""

    def __init__(self, reference: Clone, expected: dict[str, str], folder: Path, kind: str) -> None:
        """Copy the finished run into `folder`."""
        self._reference, self._clone = reference, copied(reference, folder)
        self._expected, self._kind = expected, KINDS[kind]

    def run(self, way: str, source: random.Random) -> tuple[Outcome, str]:
        """Damage the file, let a job read it, and return what came of it."""
        path, *others = files_of(self._clone.folder, self._kind)
        name = path.relative_to(self._clone.folder).as_posix()
        try:
            damage(path, others, way=way, source=source)
        except LookupError as reason:
            return Outcome.MISSED, str(reason)
        # The job runs again that has made this from the file.
        (output,) = self._clone.folder.glob(self._kind.read_by or "")
        output.unlink()
        self._clone = self._clone.asking(str(output.relative_to(self._clone.root)))
        ended = self._clone.again()
        other = differences(fingerprint(self._clone.folder, self._clone.results), self._expected)
        if ended.code or other in ([], [name]):
            return judge(self._clone, ended, self._expected, named=name)
        # A wrong result. The audit must still find it after the file has come back with its old
        # times, as from a backup.
        put_back(path, self._clone, self._reference)
        return judge(self._clone, self._clone.again(), self._expected, named=name)


def copied(reference: Clone, folder: Path) -> Clone:
    """Return a fresh copy of a clone in `folder`."""
    shutil.rmtree(folder, ignore_errors=True)
    return reference.copy(folder)


def put_back(path: Path, clone: Clone, reference: Clone) -> None:
    """Put the undamaged file back with its old times."""
    # Snakemake removes the outputs of a job that fails, and their folder.
    path.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy2(reference.root / path.relative_to(clone.root), path)


def _at_rest(way: str, kind: str, outcome: Outcome, detail: str) -> Fault:
    return Fault(kind, f"{way}, at rest", _name_at_rest(way, kind), outcome, detail=detail)


def _name_at_rest(way: str, kind: str) -> str:
    return f"{way} at rest: {kind}"
